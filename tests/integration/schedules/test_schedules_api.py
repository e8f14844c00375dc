"""Create, read, change, run and delete schedules by /api/schedules in a whole runtime."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import redis
from sqlalchemy import text

from schema.engine import make_engine
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

YEARLY = {"name": "nightly", "function": "echo", "expression": "@yearly"}
FIELDS = {
    "name", "function", "event", "expression", "timezone", "enabled", "start_at", "end_at", "max_runs", "misfire",
    "misfire_grace_s", "overlap", "queue", "description", "declared", "next_run_at", "last_run_at", "total_runs",
    "last_request", "error",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_schedules_stay(runtime: Runtime) -> Iterator[None]:
    delete_all(runtime)  # Schedules that tests of other files left.
    yield
    delete_all(runtime)


def delete_all(runtime: Runtime) -> None:
    for item in runtime.get("/api/schedules")["items"]:
        assert runtime.http.delete(f"/api/schedules/{item['name']}").status_code == 204


def create(runtime: Runtime, **fields: Any) -> dict[str, Any]:
    answer = runtime.http.post("/api/schedules", json=YEARLY | fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/schedules/{answer.json()['name']}"
    made: dict[str, Any] = answer.json()
    return made


def change(runtime: Runtime, **fields: Any) -> dict[str, Any]:
    answer = runtime.http.patch("/api/schedules/nightly", json=fields)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def requests_of(runtime: Runtime, name: str = "nightly") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = runtime.get(f"/api/requests?schedule={name}&limit=100")["items"]
    return items


def sql(runtime: Runtime, statement: str, **values: Any) -> None:
    engine = make_engine(runtime.database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def test_a_schedule_is_created_read_changed_and_deleted(runtime: Runtime) -> None:
    made = create(runtime, event={"b": 1, "a": [2]}, description="totals", queue="high")
    year = datetime.now(UTC).year + 1
    assert set(made) == FIELDS
    assert made["next_run_at"] == f"{year}-01-01T00:00:00Z"
    assert (made["enabled"], made["misfire"], made["overlap"], made["declared"]) == (True, "once", "allow", False)
    assert (made["total_runs"], made["last_run_at"], made["last_request"]) == (0, None, None)
    assert runtime.get("/api/schedules/nightly") == made
    assert runtime.get("/api/schedules")["items"] == [made]

    changed = change(runtime, timezone="Asia/Kathmandu", description="", max_runs=3)
    assert changed["next_run_at"] == f"{year - 1}-12-31T18:15:00Z"
    assert changed | {"timezone": "UTC", "description": "totals", "max_runs": None} == made | {
        "next_run_at": changed["next_run_at"]
    }
    assert change(runtime, max_runs=None)["max_runs"] is None
    assert change(runtime, enabled=False)["next_run_at"] is None
    assert change(runtime, enabled=True)["next_run_at"] == changed["next_run_at"]

    assert runtime.http.delete("/api/schedules/nightly").status_code == 204
    assert runtime.http.get("/api/schedules/nightly").status_code == 404
    assert runtime.http.delete("/api/schedules/nightly").status_code == 404


def test_requests_of_a_schedule_name_schedule_and_tick(runtime: Runtime) -> None:
    create(runtime, name="thrice", expression="rate(1 second)", event={"n": 1}, max_runs=3)

    wait_until(lambda: runtime.get("/api/schedules/thrice")["total_runs"] == 3, 20, "three ticks")
    newest, *older = requests_of(runtime, "thrice")
    assert runtime.wait_ended(newest["id"])["event"] == {"n": 1}
    moments = [datetime.fromisoformat(item["scheduled_for"]) for item in reversed([newest, *older])]
    assert [after - before for before, after in pairwise(moments)] == [timedelta(seconds=1)] * 2
    shown = runtime.get("/api/schedules/thrice")
    assert (shown["total_runs"], shown["next_run_at"]) == (3, None)
    assert shown["last_request"] == {"id": newest["id"], "status": "completed", "cancelled": False}
    assert shown["last_run_at"] == newest["created_at"]


def test_a_new_schedule_is_mirrored_to_rq_scheduler_at_once(runtime: Runtime) -> None:
    made = create(runtime, name="shown")
    with redis.Redis.from_url(runtime.redis_url) as client:
        expected = datetime.fromisoformat(made["next_run_at"]).timestamp()
        wait_until(lambda: client.zscore("rq:scheduler:scheduled_jobs", "schedule-shown") == expected)


def test_run_now_creates_a_request_at_once(runtime: Runtime) -> None:
    create(runtime, event=[1], enabled=False)
    answer = runtime.http.post("/api/schedules/nightly/run")

    assert answer.status_code == 202
    request = runtime.wait_ended(answer.json()["id"])
    assert answer.headers["Location"] == f"/api/requests/{request['id']}"
    assert (request["status"], request["event"], request["schedule"]) == ("completed", [1], "nightly")
    assert request["scheduled_for"] is None
    shown = runtime.get("/api/schedules/nightly")
    assert (shown["total_runs"], shown["last_request"]) == (
        1,
        {"id": request["id"], "status": "completed", "cancelled": False},
    )


def test_the_next_times_are_shown_even_for_a_disabled_schedule(runtime: Runtime) -> None:
    create(runtime, expression="30 2 * * *", timezone="Europe/Berlin", start_at="2030-03-30T00:00:00Z")
    # The clocks of Berlin skip 02:30 on the 31st: it runs right after the gap.
    expected = ["2030-03-30T01:30:00Z", "2030-03-31T01:00:00Z", "2030-04-01T00:30:00Z"]

    assert runtime.get("/api/schedules/nightly/next?count=3") == {"times": expected}
    assert len(runtime.get("/api/schedules/nightly/next")["times"]) == 10
    change(runtime, enabled=False, max_runs=2)
    assert runtime.get("/api/schedules/nightly/next?count=3") == {"times": expected[:2]}
    assert runtime.http.get("/api/schedules/nightly/next?count=0").status_code == 422
    assert runtime.http.get("/api/schedules/nightly/next?n=1").status_code == 422


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE schedule SET expression = '0 0 1 1 *', timezone = 'Asia/Kathmandu'", "T18:15:00Z"),
        ("UPDATE schedule SET enabled = false", None),
        ("UPDATE schedule SET expression = 'at(2031-05-06T07:08:09)'", "2031-05-06T07:08:09Z"),
    ],
)
def test_an_edit_by_plain_sql_takes_effect(runtime: Runtime, statement: str, expected: str | None) -> None:
    before = create(runtime)["next_run_at"]
    sql(runtime, statement)

    def is_planned() -> bool:
        return bool(runtime.get("/api/schedules/nightly")["next_run_at"] != before)

    wait_until(is_planned, 10, "the scheduler plans the row anew")
    shown = runtime.get("/api/schedules/nightly")["next_run_at"]
    assert shown == expected or (expected and shown.endswith(expected))
    with redis.Redis.from_url(runtime.redis_url) as client:

        def is_mirrored() -> bool:
            score = client.zscore("rq:scheduler:scheduled_jobs", "schedule-nightly")
            return bool(score == (datetime.fromisoformat(shown).timestamp() if shown else None))

        wait_until(is_mirrored, 10, "rq-scheduler's keys show it")


def test_an_invalid_row_is_shown_and_can_be_repaired(runtime: Runtime) -> None:
    create(runtime)
    sql(runtime, "UPDATE schedule SET expression = 'whenever', timezone = 'Mars/Olympus'")
    wait_until(lambda: runtime.get("/api/schedules/nightly")["error"], what="the scheduler says why it cannot fire")

    assert runtime.get("/api/schedules/nightly/next") == {"times": []}
    refused = runtime.http.patch("/api/schedules/nightly", json={"timezone": "UTC"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "expression")
    mended = change(runtime, expression="@yearly", timezone="UTC")
    assert (mended["error"], mended["next_run_at"] is None) == (None, False)


def test_a_schedule_inserted_by_plain_sql_fires(runtime: Runtime) -> None:
    sql(runtime, "INSERT INTO schedule (name, function, expression) VALUES ('by-hand', 'echo', 'rate(1 second)')")
    wait_until(lambda: len(requests_of(runtime, "by-hand")) > 1, 20, "it fires")
    assert requests_of(runtime, "by-hand")[0]["event"] == {}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "a b"}, "name"),
        ({"function": "ehco"}, "function"),
        ({"expression": "61 * * * *"}, "expression"),
        ({"expression": "cron(0 10 * * * *)"}, "expression"),
        ({"expression": "at(2020-01-01T00:00:00)"}, "expression"),
        ({"timezone": "Europe/Berlim"}, "timezone"),
        ({"end_at": "2020-01-01T00:00:00Z"}, "end_at"),
        ({"start_at": "2020-01-01T00:00:00Z"}, "start_at"),
        ({"misfire": "later"}, "misfire"),
        ({"queue": "nobodys"}, "queue"),
        ({"total_runs": 5}, "total_runs"),
    ],
)
def test_bad_input_is_rejected_by_field_and_changes_nothing(
    runtime: Runtime, fields: dict[str, Any], named: str
) -> None:
    answer = runtime.http.post("/api/schedules", json=YEARLY | fields)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [named]
    assert named in answer.json()["detail"]
    assert runtime.get("/api/schedules")["items"] == []

    create(runtime)
    if named != "name":
        assert runtime.http.patch("/api/schedules/nightly", json=fields).status_code == 422
    assert runtime.http.patch("/api/schedules/nightly", json={"name": "other"}).status_code == 422


def test_duplicate_malformed_and_unknown_schedules_are_rejected(runtime: Runtime) -> None:
    create(runtime)
    assert runtime.http.post("/api/schedules", json=YEARLY).status_code == 409
    assert runtime.http.post("/api/schedules", json=[]).status_code == 422
    assert runtime.http.post("/api/schedules", content=b"{").status_code == 415
    json_type = {"Content-Type": "application/json"}
    assert runtime.http.post("/api/schedules", content=b"{", headers=json_type).status_code == 400
    nul = b'{"name": "n", "function": "echo", "expression": "@daily", "event": "\\u0000"}'
    assert runtime.http.post("/api/schedules", content=nul, headers=json_type).status_code == 400
    large = runtime.http.post("/api/schedules", json=YEARLY | {"name": "n", "event": "x" * 1024 * 1024})
    assert large.status_code == 413
    assert runtime.http.put("/api/schedules/nightly", json={}).status_code == 405
    for path in ("nobody", "a%20b", "%00"):
        assert runtime.http.get(f"/api/schedules/{path}").status_code == 404
        assert runtime.http.post(f"/api/schedules/{path}/run").status_code == 404
        assert runtime.http.get(f"/api/schedules/{path}/next").status_code == 404
        assert runtime.http.patch(f"/api/schedules/{path}", json={}).status_code == 404
    assert runtime.http.get("/api/schedules?x=1").status_code == 422


def test_an_unsaved_schedule_is_previewed_and_its_invalid_field_named(runtime: Runtime) -> None:
    body = {"expression": "30 2 * * *", "timezone": "Europe/Berlin", "start_at": "2099-03-28T00:00:00Z"}
    answer = runtime.http.post("/api/schedules/preview?count=3", json=body)
    # The clocks of Berlin skip 02:30 on the 29th: cron runs it right after the gap, AWS's dialect skips it.
    assert answer.json()["times"] == ["2099-03-28T01:30:00Z", "2099-03-29T01:00:00Z", "2099-03-30T00:30:00Z"]
    answer = runtime.http.post("/api/schedules/preview?count=2", json=body | {"expression": "cron(30 2 * * ? *)"})
    assert answer.json()["times"] == ["2099-03-28T01:30:00Z", "2099-03-30T00:30:00Z"]

    for wrong, field in (({"expression": "61 * * * *"}, "expression"), ({"timezone": "Mars/Base"}, "timezone")):
        answer = runtime.http.post("/api/schedules/preview", json=body | wrong)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert runtime.http.post("/api/schedules/preview", json={"what": 1}).status_code == 422
    assert runtime.http.get("/api/schedules/preview").status_code == 404
