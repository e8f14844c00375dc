"""In production a function cannot look into the processes of the runtime, although it has their account."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.locked.accounts import OTHER, needs_root, open_python

pytestmark = needs_root
LOOK = "import sys; print('secret' in open(f'/proc/{sys.argv[1]}/environ').read())"


@pytest.fixture(scope="module")
def python() -> str:
    """One that has what the runtime needs, for the process, and that another account may run."""
    found = open_python()
    asked = [found, "-c", "import infra.cli.main, sqlalchemy, rq"]
    if subprocess.run(asked, cwd="/", capture_output=True, check=False, user=OTHER, group=OTHER).returncode != 0:
        pytest.skip("another account cannot run localfn here")
    return found


@contextmanager
def begun(python: str, folder: Path, command: str, **environ: str) -> Iterator[int]:
    """The pid of a process of the runtime that has called its database, which does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(60)
        addresses = {
            "DATABASE_URL": f"postgresql://u:secret@127.0.0.1:{database.getsockname()[1]}/d",
            "REDIS_URL": "redis://127.0.0.1:1",
        }
        env = {"LOCALFN_HOME": str(folder / "home"), "LOCALFN_FUNCTIONS": str(folder), **addresses, **environ}
        process = subprocess.Popen(
            [python, "-P", "-m", "infra.cli", command],
            env=env,
            cwd=folder,
            user=OTHER,
            group=OTHER,
            extra_groups=[],
            stderr=subprocess.DEVNULL,
        )
        try:
            line, _ = database.accept()
            with line:
                yield process.pid
        finally:
            process.kill()
            process.wait()


def seen(python: str, pid: int) -> str:
    look = [python, "-c", LOOK, str(pid)]
    done = subprocess.run(
        look, capture_output=True, text=True, check=False, cwd="/", user=OTHER, group=OTHER, extra_groups=[]
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1].partition(":")[0]


@pytest.mark.parametrize("command", ["web", "worker", "scheduler", "init"])
def test_what_a_process_was_told_is_shut_to_its_own_account(python: str, tmp_path: Path, command: str) -> None:
    with begun(python, tmp_path, command, LOCALFN_ENV="production") as pid:
        assert seen(python, pid) == "PermissionError"


def test_on_a_developers_machine_it_stays_open_to_his_tools(python: str, tmp_path: Path) -> None:
    with begun(python, tmp_path, "init") as pid:
        assert seen(python, pid) == "True"
