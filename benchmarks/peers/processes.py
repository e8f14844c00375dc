"""Start and end the processes of a contestant; none outlives the block that started it."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import psutil

from infra.supervisor.termination import terminate_trees
from workqueue.sandboxes.prctl import die_with_parent

ROOT = Path(__file__).parents[2]
TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Command:
    """Describe a process to start: its arguments, whole environment and working directory."""

    words: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path = ROOT


def start(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a new session, so that Ctrl-C does not reach it; its output goes to the log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command.words,
            env=command.env,
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # The child ends with this process, even after SIGKILL.
            preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - the child only makes a system call
        )


@contextmanager
def running(commands: Sequence[Command], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run all commands until the end of the block."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.extend(start(command, log) for command in commands)
        yield started
    finally:
        end(started)


def end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """Send SIGTERM, and after three seconds SIGKILL, to all processes and their children."""
    alive = [process for process in started if process.poll() is None]
    terminate_trees([(psutil.Process(process.pid), ((signal.SIGTERM, 3.0),)) for process in alive])
    for process in started:
        process.wait()


def answer(command: Command, limit_s: float) -> str:
    """Run a command and return its output. Raises ClickException with the last lines of stderr if it fails."""
    with subprocess.Popen(
        command.words,
        env=command.env,
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, said = process.communicate(timeout=limit_s)
        finally:
            process.kill()
    if process.returncode != 0:
        raise click.ClickException(f"{' '.join(command.words[1:])} failed:\n{last_lines(said)}")
    return printed


def last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-TAIL_LINES:])
