"""Run `localfn …` against a runtime: in the test process, or as a process, as users do.

A process costs a quarter of a second, so it is for what only a process shows: pipes, terminals, signals, and variables
that Python reads at its start.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from click.testing import CliRunner

from infra.cli.main import cli
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

COMMAND = [sys.executable, "-P", "-m", "localfn_runtime"]
LIMIT_S = 60
TOO_LARGE = json.dumps("x" * 1024 * 1024)
NOWHERE = "00000000-0000-7000-8000-000000000000"

Done = subprocess.CompletedProcess[str]


def localfn(runtime: Runtime, *words: str, stdin: str = "", **environ: str) -> Done:
    """Run a command to its end in this process, with the variables of the runtime only.

    An exception that the command does not report is raised, so that it fails the test.
    """
    env: dict[str, str | None] = {**dict.fromkeys(os.environ), **runtime.env, **environ}
    result = CliRunner().invoke(cli, words, input=stdin, env=env, catch_exceptions=False, prog_name="localfn")
    return Done(words, result.exit_code, result.stdout, result.stderr)


def localfn_process(runtime: Runtime, *words: str, stdin: str = "", **environ: str) -> Done:
    """Run a command to its end as a process."""
    return subprocess.run(
        [*COMMAND, *words],
        env=runtime.env | environ,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )


def run_json(runtime: Runtime, *words: str) -> Any:
    """Run a command with --json; return its output."""
    done = localfn(runtime, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def running_command(
    runtime: Runtime, *words: str, stderr: int = subprocess.PIPE, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a command while the block runs, and kill it at the end."""
    with subprocess.Popen(
        [*COMMAND, *words], env=runtime.env | environ, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line of stderr."""
    assert process.stderr is not None
    return process.stderr.readline()


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    return wait_until(lambda: line if text in (line := read_line(process)) else "", LIMIT_S, f"it says {text}")


def list_ids(runtime: Runtime, function: str, *words: str) -> list[str]:
    listed = run_json(runtime, "requests", "list", "--function", function, *words)
    return [item["id"] for item in listed["items"]]
