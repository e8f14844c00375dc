"""Follow a page as a reader does: write its files, type its commands, compare what they print."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from tests.docs.expected import Sample
from tests.docs.markdown import ROOT, Fence
from tests.support.runtime import sandbox_user_settings
from tests.support.up import free_port, without_runtime_settings
from tests.support.waiting import wait_until
from workqueue.sandboxes.prctl import die_with_parent

COMMAND = re.compile(r"^\$ ", re.MULTILINE)
RUNS_ON = re.compile(r"(?:^|[\s/])(?:dev|localfn) (up|web|worker|scheduler)\b")
LOOKS_ONLY = re.compile(
    r"localfn (?:functions|requests|schedules|workers|queues|keys) (?:list|show|next|attempts|logs)\b"
)
FUNCTION = re.compile(r"^@function.*?^(?:async )?def (\w+)", re.MULTILINE | re.DOTALL)
READY = re.compile(r"localfn ready on (\S+)")
COMMAND_LIMIT_S = 120
START_LIMIT_S = 180
STOP_LIMIT_S = 15
LOOK_LIMIT_S = 20
LOOK_PAUSE_S = 0.3  # each look is a process, which takes as long


@dataclass
class Reader:
    """A shell of its own in a project folder, with its own home folder and port.

    replaced: what a page writes -> what is true here, such as a port or a server's address.
    """

    folder: Path
    replaced: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home = self.folder / "home"
        home.mkdir()
        (home / "localfn").symlink_to(ROOT)
        self.cwd = home
        self.port = free_port()
        self.replaced = {":5000": f":{self.port}", **self.replaced}
        scripts = Path(sys.executable).parent
        self.environ = without_runtime_settings() | sandbox_user_settings() | self.environ
        self.environ |= {
            "HOME": str(home),
            "PORT": str(self.port),
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "LOCALFN_CONCURRENCY": "4",
            "COLUMNS": "200",
            "TZ": "UTC",
        }
        self.status = 0
        self.running: list[subprocess.Popen[str]] = []
        self.sample = Sample()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def follow(self, fences: list[Fence]) -> None:
        """Do what the fences of one page say, in their order."""
        self.sample = Sample()
        for fence in fences:
            kind, argument = fence.marker or ("", "")
            if kind == "file":
                self.write(argument, fence.text)
            elif kind != "not run" and fence.language:  # a block without a language is a drawing
                assert fence.language == "console", f"{fence.place}: say where this block goes: file, or not run"
                if kind == "after":
                    self.stop()
                self.type(fence)

    def write(self, path: str, text: str) -> None:
        """Write a file as an editor does; functions are waited for."""
        target = self.cwd / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(target.name + "~")
        for written, real in self.replaced.items():
            text = text.replace(written, real)
        fresh.write_text(text)
        fresh.replace(target)
        if target.suffix == ".py" and target.parent.name == "functions" and self.running:
            for name in FUNCTION.findall(text):
                self._wait_for(name)

    def _wait_for(self, name: str) -> None:
        def is_there() -> bool:
            return httpx.get(f"{self.url}/api/functions/{name}").status_code in (200, 401)

        wait_until(is_there, LOOK_LIMIT_S, f"{name} is discovered")

    def type(self, fence: Fence) -> None:
        """Type the commands of a console block, and compare what each prints with what the page shows."""
        for part in COMMAND.split(fence.text)[1:]:
            command, shown = _command_and_output(part)
            for written, real in self.replaced.items():
                command, shown = command.replace(written, real), shown.replace(written, real)
            command = self.sample.real(command)
            if RUNS_ON.search(command) and "--help" not in command:
                self.start(command)
            else:
                self._run(command, shown, fence)

    def _run(self, command: str, shown: str, fence: Fence) -> None:
        printed = self._shell(command)
        asks_for_status = f"$ {command.splitlines()[0]}" in fence.text and "$ echo $?" in fence.text
        assert self.status == 0 or asks_for_status, f"{fence.place}: {command}: exit {self.status}\n{printed}"
        if not shown.strip():
            return
        difference = self.sample.difference(shown, printed)
        deadline = time.monotonic() + LOOK_LIMIT_S
        # A reader who sees nothing yet looks again: discovery and workers take a moment.
        while difference and LOOKS_ONLY.search(command) and time.monotonic() < deadline:
            time.sleep(LOOK_PAUSE_S)
            printed = self._shell(command)
            difference = self.sample.difference(shown, printed)
        assert not difference, f"{fence.place}: {command}\n{difference}\n--- all of it ---\n{printed}\n{self._logs()}"

    def _shell(self, command: str) -> str:
        """Run one command, and keep folder, variables and exit status for the next."""
        kept = self.folder / "variables"
        script = f'set -a; (exit {self.status})\n{command}\nstatus=$?; pwd >"$1"; env -0 >>"$1"; exit $status'
        done = subprocess.run(
            ["bash", "-c", script, "bash", str(kept)],
            cwd=self.cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        self.status = done.returncode
        folder, _, variables = kept.read_text().partition("\n")
        self.cwd = Path(folder)
        pairs = (pair.partition("=") for pair in variables.split("\0") if pair)
        self.environ = {name: value for name, _, value in pairs if name not in ("_", "SHLVL", "status")}
        return done.stdout

    def start(self, command: str) -> None:
        """Start a command that runs until Ctrl-C; wait until the runtime is ready."""
        log = self.folder / f"log-{len(self.running)}"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.cwd,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                # However the test run ends, by SIGKILL too, the command ends: bash becomes the command.
                preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - it only makes a system call
            )
        self.running.append(process)

        def is_ready() -> bool:
            assert process.poll() is None, f"{command} ended:\n{log.read_text()}"
            if " up" in command:
                return READY.search(log.read_text()) is not None
            return bool(log.read_text())

        wait_until(is_ready, START_LIMIT_S, f"{command} is ready")

    def _logs(self) -> str:
        return "\n".join(f"--- {log.name} ---\n{log.read_text()[-4000:]}" for log in self.folder.glob("log-*"))

    def stop(self) -> None:
        """Press Ctrl-C in each window in which something runs, the last one first."""
        while self.running:
            process = self.running.pop()
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself; its exit code still counts
                os.killpg(process.pid, signal.SIGINT)
            assert process.wait(STOP_LIMIT_S) in (0, 130), process.args


def _command_and_output(part: str) -> tuple[str, str]:
    """Split the lines after a `$ `: the command continues while a line ends in a backslash or a quote is open."""
    lines = part.splitlines(keepends=True)
    count = 1
    while count < len(lines) and (lines[count - 1].rstrip().endswith("\\") or lines[count - 1].count("'") % 2):
        count += 1
    return "".join(lines[:count]).strip(), "".join(lines[count:])
