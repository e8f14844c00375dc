"""Run `localfn functions invoke`: its input, output, and waits."""

import json
import os
import pty
import signal
from io import RawIOBase
from pathlib import Path

import pytest

from tests.conftest import StartRuntime
from tests.support.commands import LIMIT_S, localfn, read_line, run_json, running_command, wait_for_line
from tests.support.runtime import Runtime, free_port


def read_until(terminal: RawIOBase, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        seen += terminal.read(1000) or b""
    return seen


def test_invoke_prints_the_id_on_stdout_and_a_hint_on_stderr(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "invoke", "echo")

    assert done.returncode == 0
    request_id = done.stdout.strip()
    assert f"localfn requests logs -f {request_id}" in done.stderr
    assert runtime.wait_ended(request_id)["event"] == {}


@pytest.mark.parametrize("source", ["argument", "file", "stdin"])
def test_invoke_takes_the_event_from_an_argument_a_file_or_stdin(runtime: Runtime, tmp_path: Path, source: str) -> None:
    event = '{"name": "Zoë 漢字", "n": [1, 2.5, null]}'
    path = tmp_path / "event.json"
    path.write_text(event, encoding="utf-8")
    data = {"argument": event, "file": f"@{path}", "stdin": "-"}[source]

    done = localfn(runtime, "functions", "invoke", "echo", "--wait", "--data", data, stdin=event)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(event)


def test_invoke_sends_files(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "ä=b.txt").write_text("first")
    (tmp_path / "c.txt").write_text("second")
    files = ["--file", f"one={tmp_path}/ä=b.txt", "--file", f"two={tmp_path}/c.txt"]

    done = localfn(runtime, "functions", "invoke", "tell_context", "--wait", *files)

    assert json.loads(done.stdout)["files"] == {"one": "first", "two": "second"}


def test_stdout_has_only_the_result_and_stderr_lists_the_files(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "invoke", "save_files", "--wait")

    assert done.stdout == '"saved"\n'
    assert f"curl -fsS -o 'ä b.bin' {runtime.url}/api/requests/" in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "a.txt" in line]
    assert runtime.http.get(line.split()[-1]).text == "first"


def test_with_json_invoke_prints_the_request_and_its_result(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "invoke", "echo", "--wait", "--data", "[1]", "--json")
    failed = localfn(runtime, "functions", "invoke", "fail_now", "--wait", "--json")

    assert (json.loads(done.stdout)["status"], json.loads(done.stdout)["result"]) == ("completed", [1])
    assert failed.returncode == 1
    assert (json.loads(failed.stdout)["error_type"], json.loads(failed.stdout)["result"]) == ("Fail", None)


def test_a_failed_request_is_explained_and_ends_with_1(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "invoke", "raise_error", "--wait")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "raise_error failed: KeyError: 'missing'" in done.stderr
    assert 'raise KeyError("missing")' in done.stderr, "the end of the function's own traceback"
    assert "localfn requests show " in done.stderr


def test_progress_is_one_line_per_change_without_a_terminal(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    event = json.dumps({"flag": str(flag)})
    with running_command(runtime, "functions", "invoke", "follow_progress", "--wait", "--data", event) as process:
        line = wait_for_line(process, "a quarter")
        assert "processing  process  [#####...............] 25%  a quarter" in line
        flag.touch()
        out, err = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, out) == (0, "null\n")
    assert "a quarter" not in err, "what did not change is not said again"


def test_progress_is_one_line_rewritten_on_a_terminal(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    event = json.dumps({"flag": str(flag)})
    ours, theirs = pty.openpty()
    words = ("functions", "invoke", "follow_progress", "--wait", "--data", event)
    with os.fdopen(ours, "rb", buffering=0) as terminal, running_command(runtime, *words, stderr=theirs) as process:
        os.close(theirs)
        seen = read_until(terminal, b"a quarter")
        flag.touch()
        seen += read_until(terminal, b"completed in")
        assert process.wait(LIMIT_S) == 0

    before_the_end = seen.partition(b"follow_progress completed in")[0]
    assert b"\r\x1b[K" in before_the_end
    assert b"\n" not in before_the_end


def test_a_timeout_ends_with_124_and_leaves_the_request_running(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    event = json.dumps({"flag": str(flag)})

    done = localfn(runtime, "functions", "invoke", "wait_for_flag", "--wait", "--timeout", "0.5", "--data", event)

    assert done.returncode == 124
    assert done.stdout == ""
    (last,) = done.stderr.splitlines()[-1:]
    assert last.startswith("localfn: waited 0.5 s; the request continues; see localfn requests show ")
    flag.touch()
    assert runtime.wait_ended(last.split()[-1])["status"] == "completed"


def test_ctrl_c_ends_with_130_and_leaves_the_request_running(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    event = json.dumps({"flag": str(flag)})
    with running_command(runtime, "functions", "invoke", "wait_for_flag", "--wait", "--data", event) as process:
        read_line(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 130
    assert "Traceback" not in err
    (last,) = err.splitlines()[-1:]
    assert "The request continues. To cancel it: localfn requests cancel " in last
    flag.touch()
    assert runtime.wait_ended(last.split()[-1])["status"] == "completed"


def test_invoke_survives_a_restart_of_the_web_process(start_runtime: StartRuntime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    event = json.dumps({"flag": str(flag)})
    with (
        start_runtime() as runtime,
        running_command(runtime, "functions", "invoke", "wait_for_flag", "--wait", "--data", event) as process,
    ):
        read_line(process)
        runtime.stop("web", signal.SIGKILL)
        wait_for_line(process, "does not answer; retrying")
        flag.touch()
        runtime.start("web")
        out, _ = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, out) == (0, '"seen"\n')


@pytest.mark.parametrize(
    ("data", "reason"),
    [('{"a": }', "Expecting value at line 1, column 7"), ("{\n'a': 1}", "line 2, column 1"), ("[NaN]", "NaN")],
)
def test_bad_json_is_rejected_before_any_request(runtime: Runtime, data: str, reason: str) -> None:
    nobody_listens = str(free_port())

    done = localfn(runtime, "functions", "invoke", "echo", "--data", data, PORT=nobody_listens)

    assert done.returncode == 2, "3 would mean that it tried to send"
    assert reason in done.stderr


def test_a_second_call_with_the_same_key_returns_the_first_request(runtime: Runtime) -> None:
    words = ("functions", "invoke", "echo", "--key", "order 17", "--data")
    first, second = (localfn(runtime, *words, "[1]") for _ in range(2))
    other = localfn(runtime, *words, "[2]")

    assert first.stdout == second.stdout
    assert other.returncode == 1


def test_a_delay_and_a_queue_are_passed_on(runtime: Runtime) -> None:
    words = ("functions", "invoke", "echo", "--delay", "3600", "--queue", "low")
    request = run_json(runtime, *words)

    assert request["queue"] == "low"
    assert "due at" in localfn(runtime, *words, "--wait", "--timeout", "0").stderr
    assert localfn(runtime, "requests", "cancel", request["id"]).returncode == 0
