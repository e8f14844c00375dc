"""Report how a function ended: class, message and traceback of the exception, or the cause of the kill."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("way", "error_type", "message", "line"),
    [
        ("KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt", "raise error"),
        ("GeneratorExit", "GeneratorExit", "over", "raise error"),
        ("StopIteration", "StopIteration", "StopIteration", "next(iter(()))"),
        ("own", "OwnEnd", "of my own", "raise error"),
        ("named as ours", "endings.Cancelled", "by trio", "raise error"),
        ("cancelled", "CancelledError", "CancelledError", "await task"),
        (
            "group",
            "ExceptionGroup",
            "unhandled errors in a TaskGroup (2 sub-exceptions): ValueError: the first; ValueError: the second",
            "raise ValueError(text)",
        ),
        ("nested group", "BaseExceptionGroup", "outer (2 sub-exceptions): KeyError: 'k'; OwnEnd: o", "raise error"),
        ("exit with a text", "SystemExit", "there is no such city", "sys.exit("),
        ("exit 0", "SystemExit", "sys.exit(0) was called", "sys.exit(0)"),
        ("exit 3", "SystemExit", "sys.exit(3) was called", "sys.exit(3)"),
        ("exit", "SystemExit", "sys.exit() was called", "sys.exit()"),
        ("recursion", "RecursionError", "maximum recursion depth exceeded", "recurse()"),
        ("deep recursion", "ValueError", "at the bottom", 'raise ValueError("at the bottom")'),
        ("mute", "Mute", "the message of this Mute cannot be read: its method raised KeyboardInterrupt", "raise error"),
        ("no cause", "EndlessCause", "why", "raise error"),
        ("huge", "ValueError", "x" * 8192, "raise error"),
        ("half a character", "ValueError", "a\\ud800b\u2400c", "raise error"),
        ("late syntax error", "SyntaxError", "invalid syntax", "late_with_a_typing_error.py"),
        ("memory", "OutOfMemory", "memory_mb is 96", "bytes(1 << 26)"),
        ("said memory", "MemoryError", "the cache is full", "raise error"),
        ("model", "ValidationError", "lines.0.price: Input should be a valid integer, unable to", "model_validate"),
    ],
)
def test_an_exception_keeps_its_class_its_message_and_its_traceback(
    runtime: Runtime, way: str, error_type: str, message: str, line: str
) -> None:
    request = runtime.call("end", way)

    attempts = runtime.attempts(request["id"])
    assert [(attempt["error_type"], attempt["outcome"]) for attempt in attempts] == [(error_type, "failed")] * 2
    for attempt in attempts:
        assert message in attempt["error_message"]
        assert len(attempt["error_message"]) <= 8192
        assert line in attempt["traceback"]
        assert "localfn/" not in attempt["traceback"]
        assert len(attempt["traceback"]) < 70_000
    if way != "memory":
        assert not attempts[1]["cold_start"], "what raised leaves the sandbox as it was"


@pytest.mark.parametrize(
    ("way", "attempts", "delay"),
    [("group with Fail", 1, False), ("group with ValidationError", 1, False), ("group with Retry", 2, True)],
)
def test_an_exception_group_follows_its_members(runtime: Runtime, way: str, attempts: int, delay: bool) -> None:
    request = runtime.call("end", way)

    assert (request["error_type"], request["attempt"]) == ("ExceptionGroup", attempts)
    assert len(runtime.attempts(request["id"])) == attempts


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("exit hard", "The sandbox exited with status 7 while running the function."),
        ("SIGTERM", "The sandbox was killed by SIGTERM while running the function."),
        ("SIGKILL", "The sandbox was killed by SIGKILL while running the function. localfn did not send it."),
        ("SIGSEGV", "killed by SIGSEGV while running the function. The interpreter crashed"),
        ("SIGABRT", "killed by SIGABRT while running the function. The interpreter crashed"),
    ],
)
def test_the_cause_of_a_kill_is_named_and_memory_only_if_measured(runtime: Runtime, way: str, words: str) -> None:
    for attempt in runtime.attempts(runtime.call("end", way)["id"]):
        assert (attempt["error_type"], attempt["outcome"], attempt["traceback"]) == ("SandboxExited", "killed", None)
        assert words in attempt["error_message"]
        assert "out of memory" not in attempt["error_message"]


def test_a_kill_from_outside_is_reported_with_the_last_measurement(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    id = runtime.post("die_when_told", {"flag": str(flag)})["id"]
    # The sandbox runs for two seconds, in which the worker measures it many times.
    wait_until(lambda: (runtime.get(f"/api/requests/{id}")["progress"]["fraction"] or 0) >= 0.5, 30, "it runs on")
    flag.touch()
    request = runtime.wait_ended(id)

    assert request["error_type"] == "SandboxExited"
    assert "killed by SIGKILL while running the function. localfn did not send it." in request["error_message"]
    assert "MB of memory when that was last measured; 96 MB are allowed." in request["error_message"]


def test_the_limit_on_processor_time_is_named(runtime: Runtime) -> None:
    request = runtime.call("use_up_the_processor_time")

    assert request["error_type"] == "SandboxExited"
    assert "killed by SIGXCPU while running the function. It used more processor time" in request["error_message"]


def test_a_kill_by_localfn_is_reported_as_such(runtime: Runtime) -> None:
    request = runtime.call("close_the_wire")

    assert request["error_type"] == "SandboxExited"
    assert request["error_message"] == "It closed the runtime's socket while running the function, and was killed."


@pytest.mark.parametrize(
    ("way", "status", "printed"),
    [("exit 3", 3, ""), ("exit", 0, ""), ("exit with a text", 1, "no such city"), ("own", 1, "OwnEnd: of my own")],
)
def test_a_forked_child_ends_as_in_plain_python(runtime: Runtime, way: str, status: int, printed: str) -> None:
    request = runtime.call("fork_and_exit", way)

    assert request["status"] == "completed"
    assert runtime.get(f"/api/requests/{request['id']}/result")["data"] == status
    assert printed in "\n".join(runtime.logs(request["id"]))


def test_an_exit_in_a_validate_hook_is_reported_in_the_validate_phase(runtime: Runtime) -> None:
    request = runtime.call("end_early", "exit hard")

    assert request["error_message"] == "The sandbox exited with status 7 while validating the event."


@pytest.mark.parametrize("way", ["thread", "__del__"])
def test_an_uncaught_exception_outside_the_function_is_logged_only(runtime: Runtime, way: str) -> None:
    request = runtime.call("end", way)

    assert request["status"] == "completed"
    assert any("RecursionError" in line or "in __del__" in line for line in runtime.logs(request["id"]))


@pytest.mark.parametrize(
    ("way", "error_type", "outcome", "attempts"),
    [
        ("KeyboardInterrupt", "KeyboardInterrupt", "failed", 2),
        ("exit with a text", "SystemExit", "failed", 2),
        ("said memory", "MemoryError", "failed", 2),
        ("StopIteration", "ValidationError", "invalid", 1),
        ("group", "ValidationError", "invalid", 1),
        ("group with Fail", "ExceptionGroup", "failed", 1),
    ],
)
def test_a_validate_hook_rejects_by_exceptions_and_fails_by_exits(
    runtime: Runtime, way: str, error_type: str, outcome: str, attempts: int
) -> None:
    request = runtime.call("end_early", way)

    assert (request["phase"], request["error_type"], request["attempt"]) == ("validate", error_type, attempts)
    assert runtime.attempts(request["id"])[0]["outcome"] == outcome


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("KeyboardInterrupt", "KeyboardInterrupt: KeyboardInterrupt"),
        ("exit with a text", "SystemExit: there is no such city"),
        ("SIGKILL", "SandboxExited: The sandbox was killed by SIGKILL while cleaning up. localfn did not send it."),
    ],
)
def test_the_end_of_a_cleanup_is_shown_as_it_happened(runtime: Runtime, way: str, words: str) -> None:
    request = runtime.call("end_late", way)
    (attempt,) = runtime.settled_attempts(request["id"])

    assert request["status"] == "completed"
    assert words in attempt["phases"][-1]["error"]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"lines": []}, "number: Field required"),
        ({"lines": [{"price": "x"}]}, "lines.0.price: Input should be a valid integer, unable to parse string as an"),
        ({"lines": [{}] * 9}, "and 5 more"),
        ([], "Input should be an object"),
    ],
)
def test_errors_of_a_model_are_one_line_that_starts_with_the_first_field(
    runtime: Runtime, event: Any, message: str
) -> None:
    request = runtime.call("read_invoice", event)

    assert request["error_type"] == "ValidationError"
    assert message in request["error_message"]
    assert "\n" not in request["error_message"]
    (attempt,) = runtime.attempts(request["id"])
    assert "validation error" in attempt["traceback"], "pydantic's own report is kept"
