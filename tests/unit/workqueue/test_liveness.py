"""Read the records of loops whose processes hang, were killed, or ran on another host."""

import os
import signal
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli.main import cli
from tests.support.waiting import wait_until
from workqueue.heartbeats.liveness import FOLDER, FORGET_S, Liveness, find_problem


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "home" / "run"


def in_child(run: Path, loop: str) -> int:
    """Record a turn in a child process that then does nothing; return its pid."""
    if (pid := os.fork()) == 0:
        Liveness(run, loop, 60)
        signal.pause()
    wait_until(lambda: list((run / FOLDER).glob(f"*.{pid}.{loop}")), what="it has recorded a turn")
    return pid


def ask() -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["alive"], catch_exceptions=False)
    return done.exit_code, done.stderr


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_loop_is_told_when_its_turn_takes_longer_than_its_limit(run: Path) -> None:
    quick, slow = Liveness(run, "quick", 60), Liveness(run, "slow", 0.01)
    wait_until(lambda: find_problem(run) is not None)
    assert find_problem(run) == "slow hangs: no turn for 0 s"
    slow.close()
    assert find_problem(run) is None
    quick.close()
    assert find_problem(run) == f"no web, worker or scheduler process of {run.parent} runs on this host"


def test_a_killed_process_does_not_count_and_its_file_is_removed(run: Path) -> None:
    killed = in_child(run, "pool")
    assert find_problem(run) is None
    kill(killed)
    assert find_problem(run) == f"no web, worker or scheduler process of {run.parent} runs on this host"
    other = Liveness(run, "schedules", 60)
    assert find_problem(run) is None
    assert [path.name.rpartition(".")[2] for path in (run / FOLDER).iterdir()] == ["schedules"]
    other.close()


def test_hosts_may_share_a_folder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers may mount the same volume: none sees, or removes, what another one has recorded."""
    names = list(os.uname())[2:]

    def use_host(name: str) -> None:
        monkeypatch.setattr("os.uname", lambda: os.uname_result(("Linux", name, *names)))

    use_host("one")
    hanging = Liveness(run, "pool", 0)
    use_host("two")
    own = Liveness(run, "pool", 60)
    assert find_problem(run) is None
    use_host("one")
    assert find_problem(run) is not None
    for each in (hanging, own):
        each.close()


@pytest.mark.parametrize(("age_s", "kept"), [(60, True), (FORGET_S + 60, False)])
def test_files_of_containers_that_are_gone_are_removed_after_a_day(run: Path, age_s: float, kept: bool) -> None:
    gone = run / FOLDER / "gone.1.pool"
    gone.parent.mkdir(parents=True)
    gone.write_text("1.0 10")
    os.utime(gone, (time.time() - age_s,) * 2)
    Liveness(run, "pool", 60).close()
    assert gone.exists() is kept


def test_the_command_reads_the_home_from_any_source_of_settings(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCALFN_HOME", raising=False)
    (tmp_path / ".env").write_text("LOCALFN_HOME=home\n")
    assert ask() == (1, f"no web, worker or scheduler process of {run.parent} runs on this host\n")
    own = Liveness(run, "pool", 60)
    assert ask() == (0, "")
    own.close()
