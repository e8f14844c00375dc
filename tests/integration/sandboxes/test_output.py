"""Store the output of functions: complete within the bounds, in order, live, and valid for all bytes."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import children_of, read_each
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.logs.buffer import HEAD_BYTES, TAIL_BYTES


def read_output(runtime: Runtime, request: dict[str, Any]) -> list[tuple[str, str]]:
    """Return stream and text of each line."""
    lines = runtime.http.get(f"/api/requests/{request['id']}/logs").text.split("\n")[:-1]
    return [(stream, text) for _, _, stream, text in (line.split(" ", 3) for line in lines)]


def test_output_within_the_bounds_is_complete(runtime: Runtime) -> None:
    request = runtime.call("print_lines", {"count": 10_000, "width": 63})

    assert read_output(runtime, request) == [("stdout", f"{number:063d}") for number in range(10_000)]


def test_unfinished_lines_are_shown_live(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    request = runtime.post("show_progress", {"flag": str(flag)})
    url = f"/api/requests/{request['id']}/logs"

    def shown() -> tuple[str, str] | None:
        answer = runtime.http.get(url)
        if answer.headers["Current-Lines"] != "2":
            return None
        (prompt, progress) = [line.split(" ", 3)[3] for line in answer.text.split("\n")[:-1]]
        return prompt, progress

    prompt, progress = wait_until(shown, 30, "both lines are shown")
    assert prompt == "Name: "
    assert progress.endswith(" of many")
    wait_until(lambda: shown() not in (None, (prompt, progress)), 30, "the progress goes on")
    following = runtime.http.get(url, params={"after": "0.0"})
    assert (following.text, following.headers["Current-Lines"]) == ("", "0"), "a client that follows gets whole lines"
    assert runtime.http.get(url, params={"after": "0.0", "current": "true"}).headers["Current-Lines"] == "2"

    flag.touch()
    ended = runtime.wait_ended(request["id"])
    assert read_output(runtime, ended) == [("stderr", "100 %"), ("stdout", "Name: Ada")]
    assert runtime.http.get(url).headers["Current-Lines"] == "0"


@pytest.mark.parametrize("way", ["print", "os.write", "logger", "threads", "one by one"])
def test_both_streams_are_in_the_order_of_printing(runtime: Runtime, way: str) -> None:
    request = runtime.call("print_in_turns", {"way": way, "count": 300})

    assert [text.split()[-1] for _, text in read_output(runtime, request)] == [str(number) for number in range(600)]
    assert {stream for stream, _ in read_output(runtime, request)} == {"stdout", "stderr"}


def test_output_of_children_and_c_libraries_is_in_order(runtime: Runtime) -> None:
    request = runtime.call("print_around_others", {})

    assert read_output(runtime, request) == [
        ("stdout", "before"),
        ("stderr", "child's error"),
        ("stdout", "child's output"),
        ("stdout", "from C"),
        ("stderr", "after"),
        ("stderr", "another child's error"),
        ("stdout", "at the end"),
    ]


@pytest.mark.parametrize("byte", [0xFF, 0x00, 0x0A, 0x0D, 0x1B])
def test_no_byte_exceeds_the_bound(runtime: Runtime, byte: int) -> None:
    request = runtime.call("print_bytes", {"byte": byte, "millions": 2}, timeout_s=120)

    assert request["status"] == "completed"
    lines = read_output(runtime, request)
    assert lines[-1] == ("stdout", "the end")
    assert sum(len(text.encode()) for _, text in lines) <= HEAD_BYTES + TAIL_BYTES + 100
    assert memory_of_workers_mb(runtime) < 300


def test_a_flood_of_newlines_does_not_slow_the_function(runtime: Runtime) -> None:
    """Newlines alone: 150 MB of them once took a minute, because each was written as a line of its own."""
    request = runtime.call("print_bytes", {"byte": 0x0A, "millions": 150, "raw": True}, timeout_s=60)

    assert (request["status"], read_output(runtime, request)[-1]) == ("completed", ("stdout", "the end"))


def memory_of_workers_mb(runtime: Runtime) -> float:
    children = children_of(runtime.processes["worker"].pid)
    return max(read_each(children, lambda child: child.memory_info().rss / (1024 * 1024)))
