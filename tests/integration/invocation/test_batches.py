"""Run short requests in batches: each has its own attempt, log, files and outcome."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import text

from schema.engine import make_engine
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

COUNT = 300


@pytest.fixture(scope="module")
def engine(runtime: Runtime) -> Any:
    engine = make_engine(runtime.database_url)
    yield engine
    engine.dispose()


def batch(runtime: Runtime, events: list[dict[str, Any]], function: str = "be_short") -> list[str]:
    answer = runtime.http.post(f"/api/functions/{function}/batch", json=events)
    assert answer.status_code == 202, answer.text
    ids: list[str] = answer.json()["ids"]
    return ids


def plain_events(count: int = COUNT) -> list[dict[str, Any]]:
    return [{"n": n} for n in range(count)]


def wait_all_ended(engine: sqlalchemy.Engine, ids: list[str], timeout_s: float = 60) -> list[Any]:
    """Return the rows in the order of the ids, once all have ended."""
    statement = text(
        "SELECT * FROM processing_request WHERE id = ANY(CAST(:ids AS uuid[])) AND finished_at IS NOT NULL"
    )

    def look() -> list[Any] | None:
        with engine.connect() as connection:
            rows = connection.execute(statement, {"ids": ids}).mappings().all()
        return sorted(rows, key=lambda row: str(row["id"])) if len(rows) == len(ids) else None

    return wait_until(look, timeout_s, f"{len(ids)} requests end")


def statuses(rows: list[Any]) -> Counter[str]:
    return Counter(row["status"] for row in rows)


def count_shared_commits(engine: sqlalchemy.Engine, ids: list[str]) -> int:
    """Return the number of requests that share a commit; requests of one transaction have the same time."""
    statement = text(
        "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM processing_result"
        " WHERE request_id = ANY(CAST(:ids AS uuid[])) GROUP BY created_at HAVING count(*) > 1) AS shared"
    )
    with engine.connect() as connection:
        return int(connection.execute(statement, {"ids": ids}).scalar_one())


def test_requests_with_a_shared_commit_keep_their_own_data(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    def run_shared_batch() -> list[str] | None:
        """Run a batch in which some requests share a commit; a busy machine may run them one by one."""
        ids = batch(runtime, [event | {"save": event["n"] % 10 == 0} for event in plain_events()])
        assert statuses(wait_all_ended(engine, ids)) == {"completed": COUNT}
        return ids if count_shared_commits(engine, ids) else None

    ids = wait_until(run_shared_batch, 90, "some are taken together")
    for n, id in list(enumerate(ids))[::10]:
        result = runtime.get(f"/api/requests/{id}/result")
        assert (result["data"]["n"], result["data"]["request"]) == (n, id)
        assert [line.split(" ", 3)[1:] for line in runtime.logs(id)] == [["1", "stdout", f"this is {n}"]]
        assert runtime.http.get(result["files"][0]["href"]).text == str(n)
        (attempt,) = runtime.attempts(id)
        assert [phase["phase"] for phase in attempt["phases"]] == ["validate", "process", "save", "cleanup"]
        assert attempt["outcome"] == "completed"
    assert wait_until(lambda: not runtime.find_leftovers(), what="no working directory is left")


def test_a_request_does_not_see_the_files_of_another(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, [event | {"leave": event["n"] % 3 == 0} for event in plain_events()])

    assert statuses(wait_all_ended(engine, ids)) == {"completed": COUNT}


def test_a_null_among_results_is_a_result(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, [event | {"null": event["n"] % 2 == 0} for event in plain_events(100)])

    assert statuses(wait_all_ended(engine, ids)) == {"completed": 100}
    assert runtime.get(f"/api/requests/{ids[50]}/result")["data"] is None


def test_a_failure_affects_only_its_own_request(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, [event | ({"raise": "no"} if event["n"] % 50 == 25 else {}) for event in plain_events()])

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": COUNT - 6, "failed": 6}
    assert {row["attempt"] for row in rows if row["status"] == "completed"} == {1}
    assert {(row["attempt"], row["error_message"]) for row in rows if row["status"] == "failed"} == {(3, "no")}


def test_a_killed_sandbox_affects_only_its_own_request(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, [event | {"exit": event["n"] % 60 == 30} for event in plain_events()])

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": COUNT}
    assert [n for n, row in enumerate(rows) if row["attempt"] != 1] == [30, 90, 150, 210, 270]
    assert runtime.attempts(ids[90])[0]["error_type"] == "SandboxExited"


def test_a_leftover_process_ends_with_its_request(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, [event | {"child": event["n"] == 40} for event in plain_events(100)])

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": 100}
    assert {row["attempt"] for row in rows} == {1}


def test_a_slow_request_does_not_block_its_batch(runtime: Runtime, engine: sqlalchemy.Engine, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    # Enough to occupy more workers than the machine has processors, each with more requests in its batch.
    slow = {50, 51, 52, 120}
    ids = batch(runtime, [event | ({"flag": str(flag)} if event["n"] in slow else {}) for event in plain_events()])

    rows = wait_all_ended(engine, [id for n, id in enumerate(ids) if n not in slow])
    assert statuses(rows) == {"completed": COUNT - len(slow)}
    assert {row["attempt"] for row in rows} == {1}, "those that were let go had not begun"
    assert {runtime.get(f"/api/requests/{ids[n]}")["status"] for n in slow} == {"processing"}
    flag.touch()
    assert statuses(wait_all_ended(engine, ids)) == {"completed": COUNT}


def test_a_request_that_must_not_start_twice_runs_alone(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, plain_events(60), "never_twice")

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": 60}
    assert {row["attempt"] for row in rows} == {1}
    assert {runtime.attempts(id)[0]["cold_start"] for id in ids} <= {True, False}


def test_requests_cancelled_in_a_batch_end_once(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, plain_events(1000))
    answers = Counter(runtime.http.post(f"/api/requests/{id}/cancel").status_code for id in ids[::-7])

    rows = wait_all_ended(engine, ids)
    cancelled = [row for row in rows if row["status"] == "failed"]
    assert {row["error_type"] for row in cancelled} <= {"Cancelled"}
    assert len(cancelled) <= answers[202]
    assert set(answers) <= {202, 409}


def test_a_queue_of_mixed_functions_is_completed(runtime: Runtime, engine: sqlalchemy.Engine, tmp_path: Path) -> None:
    ids = []
    for n in range(0, 90, 3):
        ids += [runtime.post("be_short", {"n": n})["id"], runtime.post("echo", n)["id"]]
        ids += batch(runtime, [{"do": "x", "ledger": str(tmp_path / "ledger")}] * 2, "hooked")

    assert statuses(wait_all_ended(engine, sorted(ids))) == {"completed": len(ids)}


def test_a_forked_sandbox_is_like_a_started_one(runtime: Runtime) -> None:
    forked, started = runtime.result("tell_process"), runtime.result("tell_started_process")

    assert "zygote" in forked.pop("started")
    assert "sandbox_main" in started.pop("started")
    assert started["variables"].pop("PYTHONUTF8") == "1"
    forked["modules"].remove("localfn.runtime.zygote")
    extra = set(forked["modules"]) - set(started["modules"])
    assert extra <= {"site", "sitecustomize", "usercustomize"}, "it has imported nothing that a started one has not"
    for name in ("path", "argv", "variables", "leads", "parent", "descriptors", "open"):
        assert forked[name] == started[name], name


@pytest.mark.parametrize("padding", [1_000, 100_000])
def test_each_request_of_a_batch_runs_once_whatever_the_size_of_its_result(
    runtime: Runtime, engine: sqlalchemy.Engine, tmp_path: Path, padding: int
) -> None:
    ledger = tmp_path / "ledger"
    events = [event | {"ledger": str(ledger), "padding": padding} for event in plain_events()]
    assert statuses(wait_all_ended(engine, batch(runtime, events, "note_and_pad"))) == {"completed": COUNT}
    assert sorted(map(int, ledger.read_text().split())) == list(range(COUNT))
