"""Run `localfn up --detach` in tests, from a terminal that closes once the runtime is ready."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from infra.background import read_status
from infra.config.settings import load
from infra.supervisor.pid_records import PidRecords
from infra.supervisor.termination import is_alive
from tests.support.commands import COMMAND
from tests.support.up import free_port, without_runtime_settings

LIMIT_S = 90


class Detached:
    """Control one project folder, its home and its port."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder, self.home = folder, folder / "home"
        self.port = free_port()
        ours = {"LOCALFN_HOME": str(self.home), "PORT": str(self.port), "LOCALFN_CONCURRENCY": "2"}
        self.environ = without_runtime_settings() | ours | environ

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project folder."""
        return subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def start(self) -> psutil.Process:
        done = self.run("up", "--detach")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"localfn ready on http://127.0.0.1:{self.port}\n"
        return self.process()

    def start_in_a_closing_terminal(self) -> int:
        """Start it from a shell, and close the terminal; return the exit status of the shell, which SIGHUP ends."""
        terminal, shell_end = pty.openpty()
        with subprocess.Popen(
            ["bash", "-c", '"$@" && sleep 600', "bash", *COMMAND, "up", "--detach"],
            cwd=self.folder,
            env=self.environ,
            stdin=shell_end,
            stdout=shell_end,
            stderr=shell_end,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it only makes a system call
        ) as shell:
            os.close(shell_end)
            shown = b""
            while b"localfn ready on" not in shown:
                shown += os.read(terminal, 4096)
            os.close(terminal)
            return shell.wait(LIMIT_S)

    def status(self) -> dict[str, Any]:
        """Return what `localfn status --json` prints, without its process."""
        return asdict(read_status(load(self.environ, self.folder)))

    def process(self) -> psutil.Process:
        return psutil.Process(self.status()["pid"])

    def processes(self) -> dict[str, dict[str, Any]]:
        return {process["name"]: process for process in self.status()["processes"]}

    def end(self) -> None:
        """End everything, whatever a failed test has left."""
        found = self.status()["pid"]
        if found is not None and is_alive(psutil.Process(found)):
            os.kill(found, signal.SIGKILL)
        PidRecords(self.home / "run").recover()
