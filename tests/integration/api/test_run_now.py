"""Run a request now that waits for a time."""

from uuid import uuid4

from tests.support.commands import localfn
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


def post_delayed(runtime: Runtime) -> str:
    id: str = runtime.post("echo", {"n": 1}, params={"delay_s": 3600})["id"]
    return id


def test_a_delayed_request_runs_at_once(runtime: Runtime) -> None:
    id = post_delayed(runtime)
    answer = runtime.http.post(f"/api/requests/{id}/run")
    assert answer.status_code == 202
    assert answer.json()["status"] in ("pending", "processing", "completed")
    assert runtime.wait_ended(id)["status"] == "completed"
    entries = runtime.http.get("/api/audit", params={"subject": id}).json()["items"]
    assert [entry["action"] for entry in entries] == ["request.run"]


def test_an_attempt_that_waits_after_a_failure_starts_at_once(runtime: Runtime) -> None:
    id = runtime.post("retry_in_an_hour")["id"]
    wait_until(lambda: runtime.get(f"/api/requests/{id}")["error_type"], 20, "the first attempt has failed")
    assert runtime.http.post(f"/api/requests/{id}/run").status_code == 202
    assert runtime.wait_ended(id)["attempt"] == 2


def test_requests_that_wait_for_no_time_are_unchanged(runtime: Runtime) -> None:
    runtime.http.post("/api/queues/low/pause")
    try:
        due = runtime.post("echo", params={"queue": "low"})
        rejected = runtime.http.post(f"/api/requests/{due['id']}/run")
        assert (rejected.status_code, "waits for a worker" in rejected.json()["detail"]) == (409, True)
        assert runtime.get(f"/api/requests/{due['id']}")["available_at"] == due["available_at"]
    finally:
        runtime.http.post("/api/queues/low/resume")
    runtime.wait_ended(due["id"])
    rejected = runtime.http.post(f"/api/requests/{due['id']}/run")
    assert (rejected.status_code, "it is completed" in rejected.json()["detail"]) == (409, True)
    assert runtime.http.post(f"/api/requests/{uuid4()}/run").status_code == 404


def test_many_are_run_by_one_call_and_from_the_command_line(runtime: Runtime) -> None:
    ids = [post_delayed(runtime) for _ in range(3)]
    answer = runtime.http.post("/api/requests/bulk", json={"action": "run", "ids": ids[:2]})
    assert (answer.status_code, answer.json()["done"]) == (200, 2)
    done = localfn(runtime, "requests", "run", ids[2])
    assert (done.returncode, done.stdout) == (0, f"{ids[2]}  queued to run now\n"), done.stderr
    assert {runtime.wait_ended(id)["status"] for id in ids} == {"completed"}
    assert localfn(runtime, "requests", "run", ids[0]).returncode == 1
