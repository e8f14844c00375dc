"""Send bad input over real HTTP: each gets its own status and message, and changes nothing in the database."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy
from sqlalchemy import text

from schema.engine import make_engine
from tests.support.runtime import Runtime

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def database(runtime: Runtime) -> Iterator[sqlalchemy.Engine]:
    engine = make_engine(runtime.database_url, pool_size=1)
    yield engine
    engine.dispose()


def stored_rows(database: sqlalchemy.Engine, runtime: Runtime) -> tuple[int, int, list[str]]:
    with database.connect() as connection:
        requests = connection.execute(text("SELECT count(*) FROM processing_request")).scalar_one()
        keys = connection.execute(text("SELECT count(*) FROM idempotency_key")).scalar_one()
    return requests, keys, sorted(path.name for path in (runtime.home / "files").iterdir())


@pytest.fixture(autouse=True)
def _nothing_is_stored(runtime: Runtime, database: sqlalchemy.Engine) -> Iterator[None]:
    before = stored_rows(database, runtime)
    yield
    assert stored_rows(database, runtime) == before


def assert_rejected(answer: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert {"type", "title", "detail"} <= problem.keys()
    for word in words:
        assert word in answer.text, answer.text
    return problem


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"a": 1,\n "b" 2}', 400, ["line 2", "column 6"]),
        (b"not json", 400, ["line 1", "column 1"]),
        (b" \n", 400, ["line 2", "column 1"]),
        (b'{"a": NaN}', 400, ["NaN"]),
        (b'{"a": -Infinity}', 400, ["Infinity"]),
        (b'{"a": 1e999}', 400, ["1e999"]),
        (b"[" * 101 + b"]" * 101, 400, ["100 levels"]),
        (b"[" * 100_000, 400, ["100 levels"]),
        (b'{"a":' * 101 + b"1" + b"}" * 101, 400, ["100 levels"]),
        (b'{"a": "x\\u0000y"}', 400, ["U+0000"]),
        (b'{"\\u0000": 1}', 400, ["U+0000"]),
        (b'{"a": "x\0y"}', 400, ["line 1"]),
        (b'{"a": "\\ud800"}', 400, ["surrogate"]),
        (b'{"a": "\xff"}', 400, ["UTF-8"]),
        (b"9" * 5000, 400, ["number"]),
        (b'"' + b"x" * MIB + b'"', 413, ["1048576"]),
    ],
)
def test_a_body_that_is_not_valid_json_is_rejected(
    runtime: Runtime, body: bytes, status: int, words: list[str]
) -> None:
    assert_rejected(runtime.http.post("/api/functions/echo", content=body, headers=JSON), status, *words)


def test_a_chunked_body_over_the_limit_is_rejected(runtime: Runtime) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(3 * 16):
            yield b"x" * 65536

    # A connection of its own, because the server may close it instead of reading the rest of the body.
    assert_rejected(httpx.post(f"{runtime.url}/api/functions/echo", content=pieces(), headers=JSON), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100 + b"]" * 100,
        b'{"a": "\\\\u0000"}',
        b'"[[[[\\"{{{"',
        '"\ud83d\ude00"'.encode("utf-16", "surrogatepass").decode("utf-16").encode(),
    ],
)
def test_an_odd_but_valid_body_is_accepted(runtime: Runtime, database: sqlalchemy.Engine, body: bytes) -> None:
    answer = runtime.http.post("/api/functions/echo", content=body, headers={**JSON, "Prefer": "wait=20"})

    assert answer.json()["result"] == json.loads(body)
    assert runtime.http.delete(answer.headers["Location"]).status_code == 204


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/xml", 415), ("", 415)],
)
def test_other_content_types_are_rejected(runtime: Runtime, content_type: str, status: int) -> None:
    answer = runtime.http.post("/api/functions/echo", content=b"{}", headers={"Content-Type": content_type})
    assert_rejected(answer, status, "application/json")


@pytest.mark.parametrize("name", ["nothing", "..", "a%00b", "x" * 300, "%ff", "a/b"])
def test_an_unknown_function_is_a_404(runtime: Runtime, name: str) -> None:
    assert_rejected(runtime.http.post(f"/api/functions/{name}", json={}), 404)


@pytest.mark.parametrize(
    "id", ["1", "nonsense", "00000000-0000-0000-0000-00000000000g", "%00", "{01890a5d-ac96-774b-bcce-b302099a8057}"]
)
@pytest.mark.parametrize("path", ["", "/result", "/attempts", "/logs", "/files/a"])
def test_a_malformed_id_is_a_404(runtime: Runtime, id: str, path: str) -> None:
    assert_rejected(runtime.http.get(f"/api/requests/{id}{path}"), 404)


@pytest.mark.parametrize("path", ["", "/result", "/attempts", "/logs", "/files/a"])
def test_an_unknown_request_is_a_404(runtime: Runtime, path: str) -> None:
    assert_rejected(runtime.http.get(f"/api/requests/01890a5d-ac96-774b-bcce-b302099a8057{path}"), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/api/functions/echo"), ("DELETE", "/api/functions"), ("POST", "/api/requests"), ("PATCH", "/readyz")],
)
def test_a_wrong_method_is_a_405_that_names_the_allowed_methods(runtime: Runtime, method: str, path: str) -> None:
    answer = runtime.http.request(method, path)
    assert_rejected(answer, 405)
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("delay=1", "delay"),
        ("delay_s=-1", "delay_s"),
        ("delay_s=soon", "delay_s"),
        ("delay_s=1&delay_s=2", "delay_s"),
        ("delay_s=999999999999", "delay_s"),
        ("run_at=tomorrow", "run_at"),
        ("run_at=2026-01-01T00:00:00", "run_at"),
        ("run_at=9999-12-31T23:59:59-14:59", "run_at"),
        ("run_at=9999-12-31T23:59:59Z", "run_at"),
        ("run_at=0001-01-01T00:00:00%2B14:00", "run_at"),
        ("run_at=2199-12-31T00:00:00Z", "run_at"),
        ("run_at=2026-01-01T00:00:00Z&delay_s=1", "run_at"),
        ("queue=nobody", "queue"),
        ("queue=%00", "queue"),
    ],
)
def test_a_bad_query_parameter_of_a_post_is_a_422_that_names_it(runtime: Runtime, query: str, field: str) -> None:
    problem = assert_rejected(runtime.http.post(f"/api/functions/echo?{query}", json={}), 422, field)
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=failed", "state"),
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=1e2", "limit"),
        ("cursor=x", "cursor"),
        ("since=yesterday", "since"),
        ("until=9999-12-31T00:00:00Z", "until"),
        ("since=1969-12-31T23:59:59Z", "since"),
        ("until=9999-12-31T23:59:59-14:59", "until"),
        ("q=%00", "q"),
        ("q=", "q"),
    ],
)
def test_a_bad_query_parameter_of_a_list_is_a_422_that_names_it(runtime: Runtime, query: str, field: str) -> None:
    assert assert_rejected(runtime.http.get(f"/api/requests?{query}"), 422)["errors"][0]["field"] == field


@pytest.mark.parametrize("query", ["wait=61", "wait=x", "wait=-1", "other=1"])
def test_a_bad_wait_is_a_422(runtime: Runtime, query: str) -> None:
    assert_rejected(runtime.http.get(f"/api/requests/01890a5d-ac96-774b-bcce-b302099a8057?{query}"), 422)


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"event": (None, "{broken"), "csv": ("a.csv", "x")}, 400),
        ({"event": (None, "{}"), "other": (None, "a field that is no file")}, 422),
        ([("csv", ("a.csv", "x")), ("csv", ("b.csv", "y"))], 422),
        ([("event", (None, "{}")), ("event", (None, "{}"))], 422),
        ({"csv": ("../../etc/passwd", "x")}, 422),
        ({"../csv": ("a.csv", "x")}, 422),
        ({"csv": ("n" * 300, "x")}, 422),
        ({"csv": ("..", "x")}, 422),
        ({"event": (None, '"' + "x" * MIB + '"')}, 413),
    ],
)
def test_a_bad_multipart_body_leaves_no_file_behind(runtime: Runtime, files: Any, status: int) -> None:
    assert_rejected(runtime.http.post("/api/functions/tell_context", files=files), status)


def test_an_upload_over_the_limit_is_rejected(runtime: Runtime) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", httpx.URL(runtime.url).port or 0, timeout=20)
    connection.putrequest("POST", "/api/functions/tell_context")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(200 * MIB))
    connection.endheaders(b"--b\r\n")
    # The server rejects the announced length before the client sends the body.
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("body", [b"{}", b"[]", b"3", b"[1,]", b"[" + b"1," * 10_000 + b"1]"])
def test_a_bad_batch_stores_none_of_its_events(runtime: Runtime, body: bytes) -> None:
    answer = runtime.http.post("/api/functions/echo/batch", content=body, headers=JSON)
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_bad_idempotency_key_is_a_422(runtime: Runtime, key: str) -> None:
    assert_rejected(
        runtime.http.post("/api/functions/echo", json={}, headers={"Idempotency-Key": key}), 422, "Idempotency-Key"
    )


def test_a_path_that_does_not_exist_is_a_404_problem(runtime: Runtime) -> None:
    assert_rejected(runtime.http.get("/api/nothing"), 404)


def test_an_event_of_a_batch_has_the_size_limit_of_a_single_event(runtime: Runtime) -> None:
    answer = runtime.http.post("/api/functions/echo/batch", json=[1, "x" * 1024 * 1024])
    assert_rejected(answer, 413, "Event 1 has more than the 1048576 bytes")
