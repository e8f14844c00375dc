"""Keep a cancelled request, which has the status `failed`, out of all figures and lists of failures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text

from schema.migrate import alembic_config
from tests.integration.telemetry.test_metrics import Samples, scrape
from tests.support.commands import localfn
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.stats import minute_rollup

CODE = """
import pathlib, time
from localfn import function

class Cancelled(Exception):
    pass

@function
def cut_short(event, context):
    pathlib.Path(event["started"]).touch()
    time.sleep(600)

@function
def raises_cancelled(event, context):
    raise Cancelled("a class of the function's own")
"""
WAITING = 7


@dataclass(frozen=True)
class Cancels:
    """Requests of `cut_short`, each cancelled; the metrics before the first and after the last."""

    runtime: Runtime
    ids: list[str]
    before: Samples
    after: Samples


@pytest.fixture(scope="module")
def cancels(runtime: Runtime) -> Iterator[Cancels]:
    """Cancel in each way: a waiting request, many at once, a whole queue, a running request."""
    path = runtime.write("cut_short.py", CODE)
    wait_until(lambda: runtime.knows("cut_short"), what="the function is found")
    before = scrape(runtime)
    waiting = [runtime.post("cut_short", params={"delay_s": 3600, "queue": "low"})["id"] for _ in range(WAITING)]
    runtime.http.post(f"/api/requests/{waiting[0]}/cancel").raise_for_status()
    runtime.http.post("/api/requests/bulk", json={"action": "cancel", "ids": waiting[1:4]}).raise_for_status()
    assert runtime.http.post("/api/queues/low/empty").json()["cancelled"] >= WAITING - 4  # Other tests may leave some.
    ids = [*waiting, cancel_running(runtime)]
    wait_until(lambda: runtime.get("/api/functions/cut_short/stats")["cancelled"] == len(ids), 15, "they are counted")
    wait_until(lambda: ended(scrape(runtime), "cancelled") == len(ids), 15, "the numbers are handed over")
    yield Cancels(runtime, ids, before, scrape(runtime))
    path.unlink()


def cancel_running(runtime: Runtime) -> str:
    flag = runtime.functions / "started"
    runtime.functions.chmod(0o777)
    request_id = runtime.post("cut_short", {"started": str(flag)})["id"]
    wait_until(flag.exists, 20, "it runs")
    runtime.http.post(f"/api/requests/{request_id}/cancel").raise_for_status()
    assert runtime.wait_ended(request_id)["error_type"] == "Cancelled"
    return str(request_id)


def ended(samples: Samples, status: str) -> float:
    return samples.get(("localfn_requests_ended_total", (("function", "cut_short"), ("status", status))), 0.0)


def list_numbers(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every number of a JSON document with its path."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from list_numbers(each, (*path, str(name)))
    elif isinstance(value, list):
        for each in value:
            yield from list_numbers(each, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def test_a_cancelled_request_is_counted_as_cancelled_only(cancels: Cancels) -> None:
    stats = cancels.runtime.get("/api/stats")
    functions = cancels.runtime.get("/api/stats/functions")["functions"]
    whole = {"functions": functions["cut_short"], "counts": stats["counts"]["by_function"]["cut_short"]}
    whole["alone"] = cancels.runtime.get("/api/functions/cut_short/stats")
    found = list(list_numbers(whole))
    assert {value for path, value in found if "cancelled" in path} == {len(cancels.ids)}
    assert {value for path, value in found if "cancelled" not in path} == {0}
    assert "cut_short" not in stats["failures"]["by_function"]
    assert not any(problem["subject"] == {"kind": "function", "name": "cut_short"} for problem in stats["problems"])
    assert sum(stats["throughput"]["cancelled"]) >= len(cancels.ids)


def test_no_metric_counts_a_cancel_as_failure_or_run(cancels: Cancels) -> None:
    grown = {
        (name, labels): value - cancels.before.get((name, labels), 0.0)
        for (name, labels), value in cancels.after.items()
        if ("function", "cut_short") in labels
    }
    assert ended(cancels.after, "failed") == ended(cancels.after, "completed") == 0
    failed = [key for key, value in grown.items() if value and ("status", "failed") in key[1]]
    failed += [key for key, value in grown.items() if value and ("outcome", "failed") in key[1]]
    timed = [key for key, value in grown.items() if value and key[0].startswith("localfn_run_seconds")]
    assert failed == timed == []


def test_no_list_of_failures_names_a_cancelled_request(cancels: Cancels) -> None:
    get = cancels.runtime.get
    assert {item["id"] for item in get("/api/requests?function=cut_short&cancelled=true")["items"]} == set(cancels.ids)
    assert get("/api/requests?function=cut_short&cancelled=false")["items"] == []
    assert get("/api/requests?function=cut_short&status=failed&cancelled=false")["items"] == []
    # The API has four statuses: the filter `failed` returns cancelled requests too.
    assert len(get("/api/requests?function=cut_short&status=failed")["items"]) == len(cancels.ids)
    assert not any(item["function"] == "cut_short" for item in get("/api/highlights?limit=20")["failed"])
    answer = cancels.runtime.http.get("/api/requests?cancelled=maybe")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cancelled")


def test_pages_and_commands_show_cancelled_for_the_status_failed(cancels: Cancels) -> None:
    request = cancels.runtime.get(f"/api/requests/{cancels.ids[0]}")
    assert (request["status"], request["cancelled"]) == ("failed", True)
    listed = localfn(cancels.runtime, "requests", "list", "--cancelled", "--function", "cut_short").stdout
    assert listed.count(" cancelled ") == len(cancels.ids)
    assert "failed" not in listed
    shown = localfn(cancels.runtime, "requests", "show", cancels.ids[-1]).stdout
    assert "cancelled" in shown
    assert "failed" not in shown


def test_a_function_that_raises_a_class_named_cancelled_has_failed(cancels: Cancels) -> None:
    runtime = cancels.runtime
    request = runtime.call("raises_cancelled")
    assert (request["error_type"], request["cancelled"]) == ("cut_short.Cancelled", False)
    stats = "/api/functions/raises_cancelled/stats"
    wait_until(lambda: runtime.get(stats)["failures"] == 1, what="it is counted")
    assert runtime.get("/api/highlights")["failed"][0]["id"] == request["id"]


def test_the_longest_run_and_the_latest_failure_are_listed_first(runtime: Runtime, tmp_path: Path) -> None:
    flags = [tmp_path / name for name in "abc"]
    running = [runtime.post("wait_for_flag", {"flag": str(flag)})["id"] for flag in flags]

    def started() -> list[str] | None:
        found = [item["id"] for item in runtime.get("/api/highlights")["running"]]
        return found if set(running) <= set(found) else None

    found = wait_until(started, 20, "all run")
    by_start = sorted(running, key=lambda each: runtime.get(f"/api/requests/{each}")["started_at"])
    assert [each for each in found if each in running] == by_start
    # Created first, failed last.
    slow = runtime.post("raise_error", params={"delay_s": 2})["id"]
    quick = runtime.call("raise_error")["id"]
    runtime.wait_ended(slow)
    assert [item["id"] for item in runtime.get("/api/highlights")["failed"]][:2] == [slow, quick]
    for flag in flags:
        flag.touch()
    for each in running:
        runtime.wait_ended(each)


def test_a_cancel_between_two_attempts_has_no_times(engine: Engine) -> None:
    """Report no times for a request cancelled between attempts: no function ran from its first start to the cancel."""
    insert_cancelled(engine)
    with engine.begin() as connection:
        now = connection.execute(text("SELECT now()")).scalar_one()
        found = minute_rollup.count_unstored(connection, None, now)
    assert [(each.completed, each.failed, each.cancelled) for each in found] == [(0, 1, 2)]
    assert [sum(each.runs.values()) for each in found] == [sum(each.waits.values()) for each in found] == [1]


def test_minutes_stored_earlier_are_corrected(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0010")
    insert_cancelled(engine)
    stored = """
        INSERT INTO minute_tally (minute, function, completed, failed, waits, runs)
        SELECT date_trunc('minute', now(), 'UTC') - minutes * interval '1 min', 'f', 1, 4, '{}', '{}'
        FROM generate_series(0, 2) AS minutes
    """
    with engine.begin() as connection:
        connection.execute(text(stored))
        connection.execute(text("UPDATE processing_request SET finished_at = date_trunc('minute', now(), 'UTC')"))
        command.upgrade(alembic_config(connection), "head")
        found = connection.execute(text("SELECT completed, failed, cancelled FROM minute_tally ORDER BY minute")).all()
    assert [tuple(row) for row in found] == [(1, 4, 0), (1, 4, 0), (1, 2, 2)]


def insert_cancelled(engine: Engine) -> None:
    """Insert two cancelled requests, and one whose function raised a class named Cancelled."""
    insert = """
        INSERT INTO processing_request (id, function, status, event, max_attempts, on_lost, queue, created_at,
            available_at, started_at, finished_at, cancel_requested, error_type)
        SELECT gen_random_uuid(), 'f', 'failed', '{}', 1, 'rerun', 'default', now(), now() + interval '5 s',
            now() - interval '1 hour', now(), cancelled, 'Cancelled'
        FROM unnest(ARRAY[true, true, false]) AS cancelled
    """
    with engine.begin() as connection:
        connection.execute(text(insert))
