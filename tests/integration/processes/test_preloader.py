"""Start processes as forks of a preloaded one: they share its memory, and look like processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from infra.preload.preloader import Fork, Preloader
from infra.supervisor.child import SupervisedProcess
from infra.supervisor.control_socket import startup_environment
from tests.support.waiting import wait_until
from workqueue.sandboxes.prctl import adopt_orphans

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems adopt no orphans")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "localfn_runtime", *arguments]


def read_streams(process: SupervisedProcess) -> tuple[bytes, bytes]:
    """Return stdout and stderr of a process, once it has ended."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as output, process.stderr as errors:
        return output.read(), errors.read()


@pytest.fixture
def preloader() -> Iterator[Preloader]:
    adopt_orphans()
    made = Preloader()
    pid = made._process.pid
    yield made
    made.close()
    wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, what="the preloaded process ends")


def test_a_fork_runs_its_command_and_ends_with_its_exit_code(preloader: Preloader) -> None:
    environment = startup_environment(os.environ)
    process = preloader.spawn(command("version"), environment, [])
    assert isinstance(process, Fork)
    assert read_streams(process)[0].startswith(b"localfn ")
    assert os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1]) == 0

    failing = preloader.spawn(command("no-such-command"), environment, [])
    assert b"No such command" in read_streams(failing)[1]
    assert os.waitstatus_to_exitcode(os.waitpid(failing.pid, 0)[1]) == 2


def test_a_fork_is_a_child_with_its_own_name_session_and_environment(preloader: Preloader) -> None:
    url = {
        "LOCALFN_WAIT_SECONDS": "60",
        "DATABASE_URL": "postgresql://u@127.0.0.1:1/d",
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    process = preloader.spawn(command("init", "--only-servers"), startup_environment(os.environ) | url, [])
    found = psutil.Process(process.pid)
    try:
        wait_until(lambda: found.cmdline()[-2:] == ["init", "--only-servers"], what="it has its own title")
        assert found.ppid() == os.getpid()
        assert os.getsid(process.pid) == process.pid
        assert process.stderr is not None
        assert b"waiting for PostgreSQL" in process.stderr.readline(), "it reads the variables that it was given"
    finally:
        found.kill()
        os.waitpid(process.pid, 0)
        read_streams(process)


def test_without_the_preloaded_process_an_ordinary_one_starts() -> None:
    preloader = Preloader()
    os.kill(preloader._process.pid, signal.SIGKILL)
    os.waitpid(preloader._process.pid, 0)
    process = preloader.spawn(command("version"), startup_environment(os.environ), [])
    assert not isinstance(process, Fork)
    assert read_streams(process)[0].startswith(b"localfn ")
    process.returncode = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
    assert process.returncode == 0


def test_a_process_that_the_system_does_not_adopt_is_replaced_by_an_ordinary_one() -> None:
    """Run without adopting orphans: then the fork belongs to another process."""
    script = (
        "import os, sys; from infra.preload.preloader import Fork, Preloader;"
        "process = Preloader().spawn([sys.executable, '-P', '-m', 'localfn_runtime', 'version'], dict(os.environ), []);"
        "print(isinstance(process, Fork), process.stdout.read().decode().startswith('localfn '))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False True\n"
