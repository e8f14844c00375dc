"""Check the command line: lists, exit codes, and the environment of a command."""

import http.server
import json
import os
import threading

import pytest

from tests.support.commands import (
    LIMIT_S,
    NOWHERE,
    TOO_LARGE,
    localfn,
    localfn_process,
    run_json,
    running_command,
)
from tests.support.runtime import Runtime, free_port
from tests.support.waiting import wait_until


def test_functions_are_listed_in_a_table(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "list")

    lines = done.stdout.splitlines()
    assert lines[0].split() == ["FUNCTION", "QUEUE", "TIMEOUT", "ATTEMPTS", "MEMORY", "DESCRIPTION"]
    (echo,) = [line for line in lines if line.startswith("echo ")]
    assert echo.split(maxsplit=5) == ["echo", "default", "1", "h", "1", "512 MB   Return the event."]
    assert "\x1b" not in done.stdout, "no colours into a pipe"


def test_a_module_that_fails_to_import_is_listed_with_its_error(runtime: Runtime) -> None:
    path = runtime.write("broken.py", "import no_such_module_anywhere\n")
    try:
        wait_until(lambda: runtime.get("/api/functions")["errors"], 20, "the module is seen")
        done = localfn(runtime, "functions", "list")
        assert "These modules fail to import:" in done.stdout
        assert f"{path}  ModuleNotFoundError: No module named 'no_such_module_anywhere'" in done.stdout
        checked = localfn(runtime, "doctor")
        assert checked.returncode == 1
        assert any(line.startswith("!!  functions") and "→" in line for line in checked.stdout.splitlines())
    finally:
        path.unlink()
        wait_until(lambda: not runtime.get("/api/functions")["errors"], 20, "it is forgotten")


def test_a_function_is_shown_with_its_limits_and_its_schema(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "show", "by_schema")

    assert "tests/functions/basic.py:" in done.stdout
    assert '"minimum": 1' in done.stdout
    assert run_json(runtime, "functions", "show", "by_schema")["input_schema"]["required"] == ["n"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["functions", "show", "no_such"], 4),
        (["functions", "invoke", "no_such"], 4),
        (["functions", "invoke", "../echo"], 4),
        (["requests", "show", NOWHERE], 4),
        (["requests", "logs", "no-id"], 4),
        (["requests", "cancel", NOWHERE], 4),
        (["functions", "invoke", "echo", "--queue", "unserved"], 2),
        (["functions", "invoke", "echo", "--data", "-"], 2),
        (["requests", "list", "--cursor", "nonsense"], 2),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(runtime: Runtime, words: list[str], code: int) -> None:
    done = localfn(runtime, *words, stdin=TOO_LARGE)

    assert done.returncode == code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("localfn: ")


@pytest.mark.parametrize(
    "words",
    [
        ["functions", "invoke", "echo", "--timeout", "3"],
        ["functions", "invoke", "echo", "--file", "csv"],
        ["functions", "invoke", "echo", "--file", "csv=/nowhere/at/all"],
        ["functions", "invoke", "echo", "--file", "a=/dev/null", "--file", "a=/dev/null"],
        ["functions", "invoke", "echo", "--data", "@/nowhere/at/all"],
        ["functions", "invoke", "echo", "--key", "ä"],
        ["requests", "list", "--status", "lost"],
        ["requests", "list", "--since", "yesterday"],
        ["requests", "cancel"],
    ],
)
def test_wrong_usage_ends_with_2(runtime: Runtime, words: list[str]) -> None:
    done = localfn(runtime, *words)

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_runtime_the_exit_code_is_3(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "list", PORT=str(free_port()))

    assert done.returncode == 3
    assert "no runtime answers at http://127.0.0.1:" in done.stderr
    assert "localfn up" in done.stderr


def test_another_program_on_the_port_is_not_taken_for_the_runtime(runtime: Runtime) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            done = localfn(runtime, "functions", "list", PORT=str(server.server_port))
        finally:
            server.shutdown()

    assert done.returncode == 3
    assert "is not localfn (HTTP 404)" in done.stderr


def test_a_proxy_in_the_environment_is_ignored(runtime: Runtime) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"

    assert localfn(runtime, "functions", "list", http_proxy=nowhere, all_proxy=nowhere).returncode == 0


def test_a_closed_pipe_is_not_an_error(runtime: Runtime) -> None:
    request = runtime.call("flood")
    with running_command(runtime, "requests", "logs", request["id"]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(LIMIT_S) == 0


def test_a_terminal_without_unicode_gets_question_marks_and_valid_json(runtime: Runtime) -> None:
    request = runtime.call("echo", {"name": "漢字"})
    ascii_only = {"PYTHONIOENCODING": "ascii"}

    shown = localfn_process(runtime, "requests", "show", request["id"], **ascii_only)
    result = localfn_process(runtime, "requests", "result", request["id"], **ascii_only)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert '"name": "??"' in shown.stdout
    assert json.loads(result.stdout) == {"name": "漢字"}


def test_an_argument_that_is_not_text_is_an_unknown_name(runtime: Runtime) -> None:
    assert localfn_process(runtime, "functions", "show", os.fsdecode(b"\xff")).returncode == 4


@pytest.mark.parametrize("section", ["functions", "requests", "schedules", "workers", "queues", "users", "keys"])
def test_a_process_prints_what_the_command_prints(runtime: Runtime, section: str) -> None:
    heading = localfn(runtime, section, "list").stdout.partition("\n")[0]
    listed = localfn_process(runtime, section, "list")
    assert (listed.returncode, listed.stdout.partition("\n")[0].split()) == (0, heading.split()), listed.stderr
    wrong, same = (run(runtime, section, "list", "--no-such-option") for run in (localfn_process, localfn))
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (same.returncode, same.stdout, same.stderr)
