"""Follow successful requests from the POST to the result, as a client sees them."""

import time
from pathlib import Path
from typing import Any

from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


def test_a_posted_event_is_accepted_processed_and_its_result_stored(runtime: Runtime) -> None:
    answer = runtime.http.post("/api/functions/echo", json={"b": 1, "a": [1, 2.5, None, "ä"]})

    assert answer.status_code == 202
    assert answer.headers["Retry-After"] == "2"
    request = answer.json()
    assert answer.headers["Location"] == f"/api/requests/{request['id']}"
    assert (request["status"], request["attempt"], request["queue"]) == ("pending", 0, "default")

    ended = runtime.wait_ended(request["id"])
    assert (ended["status"], ended["attempt"], ended["error_type"]) == ("completed", 1, None)
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]
    result = runtime.get(f"/api/requests/{request['id']}/result")
    assert result["data"] == {"b": 1, "a": [1, 2.5, None, "ä"]}
    assert list(result["data"]) == ["b", "a"], "keys keep their order"
    assert result["request_id"] == request["id"]


def test_every_attempt_goes_through_four_phases(runtime: Runtime) -> None:
    request = runtime.call("echo", {})

    (attempt,) = runtime.settled_attempts(request["id"])
    assert attempt["outcome"] == "completed"
    assert attempt["max_rss_mb"] > 1
    assert [phase["phase"] for phase in attempt["phases"]] == ["validate", "process", "save", "cleanup"]
    assert all(phase["outcome"] == "ok" and phase["duration_ms"] >= 0 for phase in attempt["phases"])
    assert wait_until(lambda: not runtime.find_leftovers(), what="no working directory is left")


def test_a_cold_start_is_a_part_of_the_first_phase(runtime: Runtime) -> None:
    code = "from localfn import function\n\n\n@function\ndef start_cold(event, context):\n    return event\n"
    runtime.write("start_cold.py", code)
    wait_until(lambda: runtime.knows("start_cold"), 30)
    (attempt,) = runtime.settled_attempts(runtime.call("start_cold")["id"])

    assert attempt["cold_start"]
    assert attempt["phases"][0]["duration_ms"] > attempt["init_ms"] - 0.1, "rounded"


def test_the_second_call_reuses_the_sandbox_and_its_state(runtime: Runtime) -> None:
    def is_given_back() -> bool:
        """Wait for an idle sandbox: the client gets the result before the worker releases the sandbox."""
        items = runtime.get("/api/sandboxes")["items"]
        return any(item["function"] == "count_calls" and item["state"] == "idle" for item in items)

    first = runtime.call("count_calls")
    wait_until(is_given_back, what="its sandbox is free")
    second = runtime.call("count_calls")

    data = [runtime.get(f"/api/requests/{request['id']}/result")["data"] for request in (first, second)]
    assert data[0]["pid"] == data[1]["pid"]
    assert data[1]["calls"] == data[0]["calls"] + 1
    assert runtime.attempts(second["id"])[0]["cold_start"] is False
    assert runtime.attempts(second["id"])[0]["init_ms"] is None


def test_a_client_that_waits_gets_the_result_in_the_response(runtime: Runtime) -> None:
    answer = runtime.http.post("/api/functions/echo", json=[1], headers={"Prefer": "wait=10"})

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.json()["status"] == "completed"
    assert answer.json()["result"] == [1]


def test_a_client_gets_a_202_when_its_wait_is_over(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    answer = runtime.http.post("/api/functions/wait_for_flag", json={"flag": str(flag)}, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert answer.headers["Retry-After"] == "2"
    flag.touch()
    assert runtime.wait_ended(answer.json()["id"])["status"] == "completed"


def test_waiting_on_a_request_ends_when_it_ends(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    request = runtime.post("wait_for_flag", {"flag": str(flag)})
    wait_until(lambda: runtime.get(f"/api/requests/{request['id']}")["status"] == "processing")
    flag.touch()

    began = time.monotonic()
    ended = runtime.get(f"/api/requests/{request['id']}?wait=30")
    assert ended["status"] == "completed"
    assert time.monotonic() - began < 15, "it waited for its end, not for the limit"


def test_an_unchanged_request_answers_304(runtime: Runtime) -> None:
    request = runtime.call("echo", {})
    url = f"/api/requests/{request['id']}"
    etag = runtime.http.get(url).headers["ETag"]

    answer = runtime.http.get(url, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert runtime.http.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_running_request_shows_phase_progress_and_worker(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    request = runtime.post("follow_progress", {"flag": str(flag)})

    def running_request() -> dict[str, Any] | None:
        now: dict[str, Any] = runtime.get(f"/api/requests/{request['id']}")
        return now if now["progress"]["fraction"] == 0.25 else None

    seen = wait_until(running_request, what="progress is shown")
    assert (seen["status"], seen["phase"], seen["progress"]["message"]) == ("processing", "process", "a quarter")
    assert seen["worker"]
    flag.touch()
    assert runtime.wait_ended(request["id"])["progress"] == {"fraction": 1.0, "message": "done"}


def test_values_outside_json_are_converted(runtime: Runtime) -> None:
    assert runtime.result("everything") == {
        "dataclass": {"x": 1, "y": 2},
        "model": {"article": "a", "count": 1, "due": "2026-01-02"},
        "datetime": "2026-01-02T03:04:05+00:00",
        "decimal": 1.5,
        "uuid": "00000000-0000-0000-0000-000000000001",
        "path": "a/b",
        "tuple": [1, 2],
        "ünïcode": "€ \u2028",
    }


def test_output_of_every_kind_is_logged_with_attempt_and_stream(runtime: Runtime) -> None:
    request = runtime.call("talk")

    lines = [line.split(" ", 3)[1:] for line in runtime.logs(request["id"])]
    assert sorted(lines) == sorted(
        [
            ["1", "stdout", "on stdout"],
            ["1", "stderr", "on stderr"],
            ["1", "stderr", "WARNING talk: through logging"],
            ["1", "stdout", "from a child"],
        ]
    )


def test_logs_continue_after_a_given_line(runtime: Runtime) -> None:
    request = runtime.call("talk")
    url = f"/api/requests/{request['id']}/logs"
    place = runtime.http.get(url).headers["Next-After"]

    again = runtime.http.get(url, params={"after": place})
    assert (again.text, again.headers["Next-After"]) == ("", place)
    rest = runtime.http.get(url, params={"after": "1.2"})
    assert len(rest.text.splitlines()) == len(runtime.logs(request["id"])) - 2


def test_output_files_keep_their_content_at_the_save(runtime: Runtime) -> None:
    request = runtime.call("save_files")

    files = runtime.get(f"/api/requests/{request['id']}/result")["files"]
    assert [(file["name"], file["size"], file["content_type"]) for file in files] == [
        ("a.txt", 5, "text/plain"),
        ("ä b.bin", 3, "application/octet-stream"),
    ]
    first = runtime.http.get(files[0]["href"])
    assert first.text == "first"
    assert first.headers["Content-Disposition"].startswith('attachment; filename="a.txt"')
    assert runtime.http.get(files[1]["href"]).content == b"\0\1\2"
    assert runtime.http.get(f"/api/requests/{request['id']}/files/nothing").status_code == 404


def test_a_function_finds_uploads_by_the_name_of_their_part(runtime: Runtime) -> None:
    files: dict[str, tuple[str | None, str, str]] = {
        "event": (None, '{"x": 1}', "application/json"),
        "one": ("same.txt", "first", "text/plain"),
        "two": ("same.txt", "second", "text/plain"),
    }
    answer = runtime.http.post("/api/functions/tell_context", files=files, headers={"Prefer": "wait=20"})

    body = answer.json()
    assert body["result"]["files"] == {"one": "first", "two": "second"}
    assert body["event"] == {"x": 1}
    assert [(file["kind"], file["name"], file["filename"]) for file in body["files"]] == [
        ("input", "one", "same.txt"),
        ("input", "two", "same.txt"),
    ]


def test_the_context_has_all_documented_fields(runtime: Runtime) -> None:
    request = runtime.call("tell_context")

    context = runtime.get(f"/api/requests/{request['id']}/result")["data"]
    assert (context["request_id"], context["function_name"]) == (request["id"], "tell_context")
    assert (context["attempt"], context["max_attempts"]) == (1, 3)
    assert 0 < context["remaining_ms"] <= 30_000
    assert context["workdir"] == context["cwd"]


def test_user_code_does_not_see_the_settings_of_the_runtime(runtime: Runtime) -> None:
    seen = runtime.result("environment")

    ours = {"DATABASE_URL", "REDIS_URL"}
    assert not [
        name for name in seen if name in ours or name.startswith(("LOCALFN_", "RQ_", "POSTGRES_", "SUPERUSER_"))
    ]
    assert not [name for name, value in seen.items() if runtime.database_url in value or runtime.redis_url in value]
    assert seen["PATH"]
    assert runtime.result("own_environment") == "blue"


def test_a_failed_request_has_a_failed_rq_job(runtime: Runtime) -> None:
    import redis

    failed, completed = runtime.call("raise_error"), runtime.call("echo")

    assert (failed["status"], failed["error_type"], failed["error_message"]) == ("failed", "KeyError", "'missing'")
    with redis.Redis.from_url(runtime.redis_url) as client:

        def status(request: dict[str, Any]) -> JobStatus | None:
            return Job.fetch(request["job_id"], client, JSONSerializer).get_status()

        assert wait_until(lambda: status(failed) == JobStatus.FAILED, what="RQ shows it failed")
        running_request = Job.fetch(failed["job_id"], client, JSONSerializer).latest_result()
        assert running_request is not None
        assert 'raise KeyError("missing")' in str(running_request.exc_string)
        assert "workqueue" not in str(running_request.exc_string)
        assert wait_until(lambda: status(completed) == JobStatus.FINISHED, what="RQ shows it finished")


def test_a_request_runs_in_its_queue(runtime: Runtime) -> None:
    assert runtime.call("on_low")["queue"] == "low"
    assert runtime.call("on_low", params={"queue": "high"})["queue"] == "high"


def test_long_requests_run_in_parallel_and_do_not_block_short_ones(runtime: Runtime, tmp_path: Path) -> None:
    """Two workers are idle; as long requests occupy workers, the pool starts more."""
    flag = tmp_path / "flag"
    waiting = [runtime.post("wait_for_flag", {"flag": str(flag)})["id"] for _ in range(6)]

    assert runtime.result("echo", "in between", timeout_s=20) == "in between"

    def statuses() -> set[str]:
        return {runtime.get(f"/api/requests/{id}")["status"] for id in waiting}

    wait_until(lambda: statuses() == {"processing"}, 20, "all of them run")
    flag.touch()
    assert {runtime.wait_ended(id)["status"] for id in waiting} == {"completed"}
