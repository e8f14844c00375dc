"""Run functions that lie to the runtime or set traps: they fail only themselves, and later requests are unaffected."""

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.support.processes import children_of, read_each
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _no_worker_ends(runtime: Runtime) -> Iterator[None]:
    before = worker_names(runtime)
    yield
    assert runtime.result("echo", "still here") == "still here"
    assert worker_names(runtime) == before


def worker_names(runtime: Runtime) -> set[str]:
    return {each["name"] for each in runtime.get("/api/workers")["items"]}


def test_a_link_in_place_of_the_output_folder_is_rejected(runtime: Runtime) -> None:
    """Reject the link, which would point to a file of the reader."""
    request = runtime.call("swap_its_folder_for_a_link")
    assert (request["status"], request["error_type"], request["files"]) == ("failed", "OutputFileMissing", [])


@pytest.mark.parametrize(
    "files",
    [5, {}, [5], [["/x"]], [[{}, 1, 2]], [["/dev/null", 1, 2]] * 20_000],
    ids=lambda files: repr(files)[:20],
)
def test_only_the_sandbox_that_lies_about_its_code_is_ended(runtime: Runtime, files: Any) -> None:
    assert runtime.call("lie_about_its_code", {"files": files})["status"] == "completed"

    def is_gone() -> bool:
        return all(each["function"] != "lie_about_its_code" for each in runtime.get("/api/sandboxes")["items"])

    assert wait_until(is_gone, what="the pool has looked at its files and ended it")


def test_thousands_of_dead_children_do_not_exhaust_the_pool(runtime: Runtime) -> None:
    pool = runtime.processes["worker"].pid
    runtime.call("leave_the_dead", {"count": 1000})

    def are_reaped() -> bool:
        return read_each(children_of(pool), psutil.Process.status).count(psutil.STATUS_ZOMBIE) < 100

    wait_until(are_reaped, 20, "the pool has reaped them")
    assert runtime.result("echo", "served meanwhile") == "served meanwhile"


def test_a_trap_for_the_next_upload_blocks_no_worker(runtime: Runtime) -> None:
    """Plant pipes, whose opening would block forever, and files; the next request finds none of them."""
    runtime.http.post("/api/queues/default/pause")
    ids = []
    for _ in range(25):
        runtime.post("plant_for_the_next")
        answer = runtime.http.post("/api/functions/list_what_is_there", files={"part": ("a.txt", b"own")})
        ids.append(answer.json()["id"])
    runtime.http.post("/api/queues/default/resume")

    for id in ids:
        assert runtime.wait_ended(id, 60)["status"] == "completed"
        (found,) = runtime.get(f"/api/requests/{id}/result")["data"]
        assert found.endswith("input/part/a.txt")


def test_a_deeply_nested_directory_is_removed(runtime: Runtime) -> None:
    request = runtime.call("dig", {"depth": 3000})
    runtime.settled_attempts(request["id"])

    assert request["status"] == "completed", request
    wait_until(lambda: not runtime.find_leftovers(), what="no working directory is left")


def test_a_phase_starts_once_despite_repeated_messages(runtime: Runtime) -> None:
    request = runtime.call("tell_its_phase_often")
    assert len(runtime.settled_attempts(request["id"])[0]["phases"]) <= 4


def test_a_number_beyond_all_floats_is_ignored(runtime: Runtime) -> None:
    request = runtime.call("exaggerate", {"number": 10**400})

    assert (request["status"], request["progress"]["fraction"]) == ("completed", None), request
    assert runtime.settled_attempts(request["id"])[0]["max_rss_mb"] is None


@pytest.mark.parametrize("name", ["delayed_s", "cpu_s"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e308", "-1e308"])
def test_an_impossible_time_affects_no_other_request(runtime: Runtime, name: str, value: str) -> None:
    for _ in range(6):
        assert runtime.call("lie_about_its_times", {name: value})["status"] == "completed"


@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_second_answer_ends_no_request_twice(runtime: Runtime, size: int) -> None:
    for _ in range(3):
        request = runtime.call("answer_twice", {"size": size})
        assert len(runtime.attempts(request["id"])) == 1
