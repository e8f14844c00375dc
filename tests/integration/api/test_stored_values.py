"""Read back every stored value through all lists, pages, commands and metrics."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NoReturn
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from uuid_utils.compat import uuid7

from schema.engine import make_engine
from tests.support.runtime import Runtime

LISTS = (
    "/api/requests?limit=500",
    "/api/schedules",
    "/api/functions",
    "/api/stats",
    "/api/stats/functions",
    "/api/highlights",
    "/api/workers",
    "/api/sandboxes",
    "/api/queues",
    "/api/users",
    "/api/keys",
    "/api/audit",
    "/openapi.json",
    "/metrics",
)
COMMANDS = ("requests", "schedules", "functions", "workers", "queues", "users", "keys")
ENDED = text(
    """
    INSERT INTO processing_request (id, function, status, event, attempt, max_attempts, on_lost, queue, created_at,
        available_at, started_at, finished_at)
    VALUES (:id, 'echo', 'failed', CAST(:event AS json), 1, 1, 'rerun', 'default', :time, :time, :time, :time)
    """
)


@pytest.fixture
def insert_odd_request(runtime: Runtime, request: pytest.FixtureRequest) -> Iterator[UUID]:
    """Store a request by plain SQL, with a time and an event that the API rejects."""
    engine = make_engine(runtime.database_url, pool_size=1)
    id, (time, event) = uuid7(), request.param
    with engine.begin() as connection:
        connection.execute(ENDED, {"id": id, "time": time, "event": event})
    yield id
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM processing_request WHERE id = :id"), {"id": id})
    engine.dispose()


@pytest.mark.parametrize(
    "insert_odd_request",
    [
        ("infinity", "1"),
        ("-infinity", "1"),
        ("9999-12-31T23:59:59-14:59", "1"),
        ("0044-03-15 BC", '{"a": "\\ud800", "a": 1e999}'),
    ],
    indirect=True,
)
def test_an_odd_row_written_by_sql_breaks_no_list(runtime: Runtime, insert_odd_request: UUID) -> None:
    for path in LISTS:
        assert runtime.http.get(path).status_code == 200, path
    found = runtime.get(f"/api/requests/{insert_odd_request}")
    assert found["created_at"] in ("9999-12-30T00:00:00.000Z", "0001-01-02T00:00:00.000Z")
    assert str(insert_odd_request) in [item["id"] for item in runtime.get("/api/requests?limit=500")["items"]]


FEW = settings(max_examples=12)
NASTY = [
    "",
    "\0",
    "\ud800",
    "a\udfff",
    "\uffff",
    "\u202e",
    "\x1b[2J",
    "e\u0301" * 400,
    "\U0010ffff" * 300,
    "NaN",
    "\r\n",
    "\\u0000",
]
TEXTS = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=[]), max_size=40)
NUMBERS = (
    st.sampled_from([0, -1, 2**31 - 1, 2**31, 2**63, 10**400, 5e-324, 1.7e308, -0.0]) | st.integers() | st.floats()
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
TIMES = st.sampled_from(
    [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00+14:00",
        "2199-12-31T23:59:59-14:59",
        "9998-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59-14:59",
        "0001-01-01T00:00:00+14:00",
        "2100-02-29T00:00:00Z",
        "infinity",
    ]
) | st.datetimes().map(lambda time: f"{time.isoformat()}Z")
SCHEDULE = st.fixed_dictionaries(
    {"name": st.just("readable"), "function": st.just("echo"), "expression": st.just("@yearly") | TEXTS},
    optional={
        "event": JSON,
        "timezone": st.sampled_from(["UTC", "Asia/Kathmandu", "Pacific/Kiritimati"]) | TEXTS,
        "start_at": TIMES,
        "end_at": TIMES,
        "max_runs": NUMBERS,
        "misfire_grace_s": NUMBERS,
        "description": TEXTS,
        "queue": TEXTS,
        "enabled": JSON,
    },
)
USER = st.fixed_dictionaries(
    {"username": TEXTS, "password": TEXTS | st.just("correct horse")}, optional={"email": TEXTS}
)
KEY = st.fixed_dictionaries(
    {"name": TEXTS, "scopes": st.just(["read"])},
    optional={"expires_at": TIMES, "functions": st.lists(TEXTS, max_size=2)},
)


def reject_constant(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


def read_all(runtime: Runtime, *more: str) -> None:
    """Assert that all lists and the given resources return JSON that every parser reads."""
    for path in (*LISTS, *more):
        answer = runtime.http.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        if "json" in answer.headers["Content-Type"]:
            json.loads(answer.content.decode(), parse_constant=reject_constant)


def send_json(runtime: Runtime, method: str, path: str, body: Any, **options: Any) -> httpx.Response:
    """Send the output of json.dumps, including NaN and lone surrogates; a missing response is a server fault."""
    headers = {"Content-Type": "application/json", **options.pop("headers", {})}
    answer = runtime.http.request(method, path, content=json.dumps(body), headers=headers, **options)
    assert answer.status_code < 500, answer.text
    return answer


@FEW
@given(event=JSON, run_at=st.none() | TIMES, key=st.none() | TEXTS, name=TEXTS, filename=TEXTS, kind=TEXTS)
def test_every_accepted_request_can_be_read(
    runtime: Runtime, event: Any, run_at: str | None, key: str | None, name: str, filename: str, kind: str
) -> None:
    params = {"run_at": run_at} if run_at else {"delay_s": "31622400"}
    headers = {"Idempotency-Key": key.encode("utf-8", "surrogatepass")} if key and key.isprintable() else {}
    answer = send_json(runtime, "POST", "/api/functions/echo", event, params=params, headers=headers)
    answers = [
        answer,
        send_json(runtime, "POST", "/api/functions/echo/batch", [event, 1], params={"delay_s": "31622400"}),
    ]
    head = f'name="{name}"; filename="{filename}"\r\nContent-Type: {kind}'.replace("\0", "")
    form = f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\nx\r\n--x--\r\n".encode("utf-8", "surrogatepass")
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    answers.append(
        runtime.http.post("/api/functions/echo", content=form, headers=multipart, params={"delay_s": "9999"})
    )
    assert answers[-1].status_code < 500
    bodies = [answer.json() for answer in answers if answer.is_success]
    ids = [id for body in bodies for id in body.get("ids", [body.get("id")])]
    read_all(runtime, *(f"/api/requests/{id}" for id in ids))
    for id in ids:
        for file in runtime.get(f"/api/requests/{id}")["files"]:
            assert runtime.http.get(file["href"]).content == b"x"
        assert runtime.http.delete(f"/api/requests/{id}").status_code == 204


@FEW
@given(body=SCHEDULE, change=SCHEDULE)
def test_every_accepted_schedule_can_be_read(runtime: Runtime, body: dict[str, Any], change: dict[str, Any]) -> None:
    made = send_json(runtime, "POST", "/api/schedules", body).is_success
    send_json(
        runtime,
        "POST",
        "/api/schedules/preview",
        {name: body[name] for name in body.keys() & {"expression", "start_at"}},
    )
    if made:
        send_json(runtime, "PATCH", "/api/schedules/readable", change)
        read_all(runtime, "/api/schedules/readable", "/api/schedules/readable/next")
        assert runtime.http.delete("/api/schedules/readable").status_code == 204


@FEW
@given(user=USER, key=KEY)
def test_every_accepted_user_and_key_can_be_read(runtime: Runtime, user: dict[str, Any], key: dict[str, Any]) -> None:
    made = send_json(runtime, "POST", "/api/users", user), send_json(runtime, "POST", "/api/keys", key)
    read_all(runtime)
    for answer in made:
        if answer.is_success:
            # 409, because a user is not deleted while no admin exists.
            assert runtime.http.delete(answer.headers["Location"]).status_code in (204, 409)
    engine = make_engine(runtime.database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM app_user"))
    engine.dispose()


@FEW
@given(said=TEXTS, fraction=st.floats(), fails=st.booleans())
def test_every_output_of_a_function_can_be_read(runtime: Runtime, said: str, fraction: float, fails: bool) -> None:
    event = {"escaped": said.encode("unicode_escape").decode(), "fraction": str(fraction), "fails": fails}
    request = runtime.call("leave_everywhere", event)
    own = f"/api/requests/{request['id']}"
    more = [f"{own}/result"] if request["status"] == "completed" else []
    read_all(runtime, own, f"{own}/attempts", f"{own}/logs", *more)
    for file in runtime.get(own)["files"]:
        assert runtime.http.get(file["href"]).content == b"x"
    assert runtime.http.delete(own).status_code == 204


def test_the_command_line_lists_every_stored_value(runtime: Runtime) -> None:
    ids = [
        runtime.call(
            "leave_everywhere", {"escaped": said.encode("unicode_escape").decode(), "fraction": "1", "fails": True}
        )["id"]
        for said in NASTY
    ]
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "localfn_runtime", command, "list"],
            check=False,
            env=runtime.env,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
    for id in ids:
        assert runtime.http.delete(f"/api/requests/{id}").status_code == 204
