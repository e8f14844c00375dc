"""Check the API behind the pages: stats, workers, sandboxes, bulk actions."""

from pathlib import Path
from uuid import uuid4

from tests.support.commands import localfn, run_json
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


def stats_of(runtime: Runtime, function: str) -> dict[str, int]:
    found: dict[str, int] = runtime.get(f"/api/functions/{function}/stats")
    return found


def test_ended_requests_are_counted_by_status_and_function_with_their_times(runtime: Runtime) -> None:
    before = stats_of(runtime, "order_as_dict")
    for n in range(4):
        assert runtime.call("order_as_dict", {"article": f"n{n}"})["status"] == "completed"
    assert runtime.call("order_as_dict", 7)["status"] == "failed"

    def counted() -> bool:
        now = stats_of(runtime, "order_as_dict")
        return (now["count"] - before["count"], now["failures"] - before["failures"]) == (5, 1)

    wait_until(counted, what="they are counted")
    stats = runtime.get("/api/stats")
    assert stats["counts"]["by_function"]["order_as_dict"]["completed"] >= 4
    assert stats["counts"]["by_status"]["completed"] >= 4
    assert sum(stats["throughput"]["completed"]) >= 4
    assert sum(map(sum, stats["failures"]["by_function"].values())) >= 1
    assert 0 < stats["latency"]["run_ms"]["p50"] <= stats["latency"]["run_ms"]["p99"]
    assert 0 < stats["latency"]["wait_ms"]["p50"] <= stats["latency"]["wait_ms"]["p99"]
    assert len(stats["throughput"]["times"]) == len(stats["latency_series"]["run_ms"]["p95"]) == 60
    assert set(stats["queue_depth"]) >= {"high", "default", "low"}
    health = stats_of(runtime, "order_as_dict")
    listed = runtime.get("/api/stats/functions")
    assert listed["functions"]["order_as_dict"]["count"] == health["count"]
    assert listed["times"] == health["sparkline"]["times"]  # type: ignore[index]
    assert sum(health["sparkline"]["completed"]) + sum(health["sparkline"]["failed"]) == health["count"]  # type: ignore[index]


def test_an_unused_function_has_empty_stats_and_an_unknown_function_a_404(runtime: Runtime) -> None:
    assert runtime.http.get(f"/api/functions/{uuid4().hex}/stats").status_code == 404
    assert runtime.http.get("/api/stats?what=1").status_code == 422


def test_a_worker_shows_its_request_and_its_sandbox_the_memory(runtime: Runtime, tmp_path: Path) -> None:
    request = runtime.post("wait_for_flag", {"flag": str(tmp_path / "flag")})

    def busy() -> dict[str, object] | None:
        items = runtime.get("/api/workers")["items"]
        return next((item for item in items if item["request_id"] == request["id"]), None)

    worker = wait_until(busy, 10, "a worker runs it")
    assert (worker["state"], worker["function"]) == ("busy", "wait_for_flag")
    assert worker["queues"] == ["high", "default", "low"]

    def leased_sandbox() -> dict[str, object] | None:
        items = runtime.get("/api/sandboxes")["items"]
        leased = (item for item in items if item["worker"] == worker["name"] and item["state"] == "busy")
        # Until the next report, the worker's last sandbox counts as busy.
        return next((item for item in leased if item["function"] == "wait_for_flag"), None)

    sandbox = wait_until(leased_sandbox, 10, "its sandbox is noted")
    assert isinstance(sandbox["memory_mb"], float)
    assert 1 < sandbox["memory_mb"] < 1000
    assert worker["name"] in [item["name"] for item in run_json(runtime, "workers", "list")["items"]]
    assert "wait_for_flag" in localfn(runtime, "workers", "list").stdout
    (tmp_path / "flag").touch()
    assert runtime.wait_ended(request["id"])["status"] == "completed"


def test_a_bulk_action_returns_an_outcome_per_request(runtime: Runtime) -> None:
    failed = [runtime.call("raise_error")["id"] for _ in range(2)]
    completed, unknown = runtime.call("echo", 1)["id"], str(uuid4())

    answer = runtime.http.post("/api/requests/bulk", json={"action": "retry", "ids": [*failed, completed, unknown]})
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert answer.json()["done"] == 2
    assert [item["done"] for item in items] == [True, True, False, False]
    assert items[2]["detail"] == "Only a failed request can be retried; this one is completed."
    assert items[3]["detail"] == f"There is no request {unknown}."
    for each in failed:
        assert runtime.wait_ended(each)["attempt"] == 2

    answer = runtime.http.post("/api/requests/bulk", json={"action": "delete", "ids": [*failed, completed]})
    assert answer.json()["done"] == 3
    assert runtime.http.get(f"/api/requests/{completed}").status_code == 404


def test_a_bad_bulk_action_names_its_field_and_changes_nothing(runtime: Runtime) -> None:
    request = runtime.call("echo", 1)["id"]
    for body, field in (
        ({"action": "explode", "ids": [request]}, "action"),
        ({"action": "delete", "ids": [request, "7"]}, "ids[1]"),
        ({"action": "delete", "ids": []}, "ids"),
        ({"action": "delete"}, "body"),
    ):
        answer = runtime.http.post("/api/requests/bulk", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert runtime.get(f"/api/requests/{request}")["status"] == "completed"
