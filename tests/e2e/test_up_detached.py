"""Run `localfn up --detach` with real services: it survives its terminal, and `status`, `logs` and `down` find it."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.supervisor.termination import is_alive
from tests.e2e.conftest import Start
from tests.support.commands import COMMAND
from tests.support.detached import Detached
from tests.support.runtime import make_folder
from tests.support.up import CHILDREN
from tests.support.waiting import wait_until

Make = Callable[..., Detached]


@pytest.fixture
def make(short_tmp_path: Path) -> Iterator[Make]:
    made: list[Detached] = []

    def begin(name: str = "one", **environ: str) -> Detached:
        folder = short_tmp_path / name
        folder.mkdir()
        made.append(Detached(folder, **environ))
        return made[-1]

    yield begin
    for detached in made:
        detached.end()


@pytest.fixture(scope="module")
def shared() -> Iterator[Detached]:
    """Yield a runtime that was started from a terminal which has closed since."""
    with make_folder() as folder:
        detached = Detached(folder)
        try:
            assert detached.start_in_a_closing_terminal() == -signal.SIGHUP
            yield detached
        finally:
            detached.end()


@pytest.fixture
def running(shared: Detached) -> Detached:
    """Return the shared runtime, started again if an earlier test has ended it."""
    if shared.status()["state"] != "ready":
        shared.start()
    return shared


def test_it_survives_its_terminal_in_a_session_of_its_own(running: Detached) -> None:
    status = running.status()
    assert (status["state"], status["url"]) == ("ready", f"http://127.0.0.1:{running.port}")
    assert psutil.Process(status["pid"]).terminal() is None


def test_status_names_home_log_and_processes(running: Detached) -> None:
    done = running.run("status")
    assert done.returncode == 0
    for text in ("ready", str(running.home), str(running.home / "up.log"), *CHILDREN):
        assert text in done.stdout
    assert set(running.processes()) == set(CHILDREN)


def test_status_counts_restarts(running: Detached) -> None:
    before = running.processes()["scheduler"]
    psutil.Process(before["pid"]).kill()
    after = wait_until(
        lambda: found if (found := running.processes().get("scheduler", before))["pid"] != before["pid"] else None,
        20,
        "the scheduler runs again",
    )
    assert after["restarts"] == before["restarts"] + 1


def test_a_second_up_names_the_first_and_leaves_its_log_alone(running: Detached) -> None:
    log, pid = (running.home / "up.log").read_text(), running.status()["pid"]
    done = running.run("up", "--detach")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"on http://127.0.0.1:{running.port} (pid {pid}); `localfn down` stops it." in done.stderr
    assert (running.home / "up.log").read_text().startswith(log)
    assert "already runs" not in (running.home / "up.log").read_text()


def test_another_home_is_independent(running: Detached, make: Make) -> None:
    other = make("other")
    other.start()
    assert running.run("down").returncode == 0
    assert running.status()["state"] == "not running"
    assert other.status()["state"] == "ready"
    running.start()
    assert other.run("down").returncode == 0
    assert running.status()["state"] == "ready"


def test_ctrl_c_ends_the_following_of_the_log_quietly(running: Detached) -> None:
    command = [*COMMAND, "logs", "--follow", "-n", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=running.environ, stdout=pipe, stderr=pipe, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        _, errors = follower.communicate(timeout=20)
    assert (follower.returncode, errors) == (130, "")


def test_after_sigkill_the_guard_ends_everything_and_the_next_start_works(running: Detached) -> None:
    detached, killed = running, running.process()
    family = killed.children(recursive=True)
    killed.kill()
    wait_until(lambda: not is_alive(killed), what="`up` is dead")
    assert detached.status()["state"] == "not running"
    again = detached.start()
    assert not [process for process in family if is_alive(process)]
    assert detached.status()["pid"] == again.pid != killed.pid
    assert "`up` was killed; its processes were ended" in (detached.home / "up.log").read_text()


def test_logs_follow_until_down_which_leaves_no_process(running: Detached) -> None:
    detached, up = running, running.process()
    family = up.children(recursive=True)
    assert "localfn ready on" in detached.run("logs").stdout
    command = [*COMMAND, "logs", "--follow", "-n", "0"]
    with subprocess.Popen(command, env=detached.environ, stdout=subprocess.PIPE, text=True) as follower:
        assert detached.run("down").returncode == 0
        assert not [process for process in (up, *family) if is_alive(process)]
        output, _ = follower.communicate(timeout=20)
    assert follower.returncode == 0
    assert "localfn ready on" not in output
    gone = detached.run("status")
    assert (gone.returncode, gone.stdout.split()[:3]) == (3, ["state", "not", "running"])
    nothing = detached.run("down")
    assert (nothing.returncode, nothing.stderr) == (3, f"localfn: no `localfn up` runs with {detached.home}.\n")


def test_a_failed_start_names_the_reason_shows_the_log_and_leaves_nothing_running(make: Make) -> None:
    detached = make()
    with socket.socket() as other:
        other.bind(("127.0.0.1", detached.port))
        other.listen()
        done = detached.run("up", "--detach")
    assert (done.returncode, done.stdout) == (1, "")
    reason = f"PORT {detached.port} on 127.0.0.1 is already in use"
    assert done.stderr.splitlines()[-1].startswith(f"localfn: the start failed: {reason}")
    assert detached.status()["state"] == "not running"


def test_a_bad_setting_has_the_exit_code_of_a_start_in_the_foreground(make: Make) -> None:
    done = make(LOCALFN_FUNCTIONS="./nope").run("up", "--detach")
    assert (done.returncode, "'./nope' is neither a folder nor a module" in done.stderr) == (2, True)


def test_ctrl_c_during_the_start_stops_it(make: Make) -> None:
    detached = make()
    command = [*COMMAND, "up", "--detach"]
    with subprocess.Popen(command, cwd=detached.folder, env=detached.environ, stderr=subprocess.DEVNULL) as launcher:
        wait_until(lambda: detached.status()["state"] == "starting", 20, "it starts")
        up = detached.process()
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(20) == 130
    assert not is_alive(up)
    assert detached.status()["state"] == "not running"


def test_down_stops_an_up_in_the_foreground(start: Start) -> None:
    up = start()
    up.wait_ready()
    environ = Detached(up.home.parent).environ
    found = subprocess.run([*COMMAND, "status", "--json"], env=environ, capture_output=True, check=True)
    status = json.loads(found.stdout)
    assert (status["pid"], status["log"], status["state"]) == (up.process.pid, None, "ready")
    subprocess.run([*COMMAND, "down"], env=environ, capture_output=True, check=True)
    assert up.process.wait(5) == 0


def test_without_a_log_the_command_that_writes_one_is_named(make: Make) -> None:
    done = make().run("logs")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "`localfn up --detach` writes it" in done.stderr
