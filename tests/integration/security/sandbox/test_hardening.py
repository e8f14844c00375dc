"""In production a function cannot inspect the runtime's processes, although both have one account."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
LOOK = "import sys; print('secret' in open(f'/proc/{sys.argv[1]}/environ').read())"
TRACING = "-sys_ptrace,-sys_admin,-perfmon"
# A root with CAP_SYS_PTRACE can inspect everything; without it, root is like any other account.
ORDINARY = ["setpriv", f"--bounding-set={TRACING}", f"--inh-caps={TRACING}"] if os.geteuid() == 0 else []


@contextmanager
def start_hanging_process(folder: Path, command: str, **environ: str) -> Iterator[int]:
    """Return the pid of a process of the runtime that has called its database, which does not respond."""
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(60)
        told = {
            "LOCALFN_HOME": str(folder / "home"),
            "LOCALFN_FUNCTIONS": str(folder),
            "LOCALFN_SANDBOX_USER": "root" if os.geteuid() == 0 else "",
            "DATABASE_URL": f"postgresql://u:secret@127.0.0.1:{database.getsockname()[1]}/d",
            "REDIS_URL": "redis://127.0.0.1:1",
        }
        words = [*ORDINARY, sys.executable, "-P", "-m", "localfn_runtime", command]
        process = subprocess.Popen(
            words, env=os.environ | told | environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            line, _ = database.accept()
            with line:
                yield process.pid
        finally:
            process.kill()
            process.wait()


def inspect_process(pid: int) -> str:
    done = subprocess.run(
        [*ORDINARY, sys.executable, "-c", LOOK, str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1].partition(":")[0]


@pytest.mark.parametrize("command", ["web", "worker", "scheduler", "init"])
def test_environment_and_memory_are_hidden_from_the_same_account(tmp_path: Path, command: str) -> None:
    with start_hanging_process(tmp_path, command, LOCALFN_ENV="production") as pid:
        assert inspect_process(pid) == "PermissionError"


def test_in_local_mode_a_developers_tools_can_inspect_it(tmp_path: Path) -> None:
    with start_hanging_process(tmp_path, "init") as pid:
        assert inspect_process(pid) == "True"
