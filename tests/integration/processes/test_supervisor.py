"""Run the supervisor with a few small real children, which exit, hang or are killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from infra.supervisor.pid_records import PidRecords
from infra.supervisor.termination import is_alive
from tests.support.processes import children_of
from tests.support.waiting import wait_until

DRIVER = Path(__file__).parents[2] / "support" / "supervisor_process.py"

BEGIN = """
import os, pathlib, signal, subprocess, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def note(word):
    with open(folder / "notes", "a") as notes:
        notes.write(f"{name} {word}\\n")
def stop(number, frame):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
"""
READY = "(folder / f'{name}.ready').touch()\n"
WAIT = "while True: time.sleep(60)\n"
HEALTHY = BEGIN + READY + WAIT
IGNORES_SIGTERM = "signal.signal(signal.SIGTERM, lambda *_: note('asked'))\n"
IGNORES_SIGNALS = BEGIN + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + WAIT

Start = Callable[..., "Supervised"]


class Supervised:
    """Observe a running supervisor and its children."""

    def __init__(self, folder: Path, stages: list[list[dict[str, object]]]) -> None:
        self.folder = folder
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(folder), json.dumps(stages)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def children_records(self) -> list[str]:
        try:
            return (self.folder / "notes").read_text().splitlines()
        except FileNotFoundError:
            return []

    def pid(self, name: str) -> int:
        return wait_until(lambda: self._recorded(name), what=f"{name} recorded")

    def _recorded(self, name: str) -> int:
        record = PidRecords(self.folder).find(name)
        return record.pid if record else 0

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        while "all ready\n" not in self.output:
            line = self.process.stdout.readline()
            assert line, f"the supervisor ended: {self.process.communicate()[1]}"
            self.output += line

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
        """Stop it; return its output on stdout and stderr."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=15)
        return self.output + output, errors


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Supervised] = []

    def begin(*stages: list[dict[str, object]], ready: bool = True) -> Supervised:
        supervised = Supervised(tmp_path, list(stages))
        running.append(supervised)
        if ready:
            supervised.wait_ready()
        return supervised

    yield begin
    for supervised in running:
        with supervised.process as process:
            below = children_of(process.pid, recursive=True) if process.poll() is None else []
            process.kill()
            for child in below:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            process.communicate()


def child(name: str, code: str = HEALTHY, patience_s: float = 5) -> dict[str, object]:
    return {"name": name, "code": code, "patience_s": patience_s}


def test_a_killed_child_is_restarted(start: Start) -> None:
    supervised = start([child("a")])
    first = supervised.pid("a")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: supervised.children_records().count("a started") == 2, what="second start")
    wait_until(lambda: supervised.pid("a") != first, what="second pid")
    _, errors = supervised.end()
    assert "a was killed by SIGKILL; starting it again in 0.1 s" in errors


def test_a_child_that_exits_with_code_0_is_restarted(start: Start) -> None:
    once = "if (folder / 'again').exists(): time.sleep(60)\n(folder / 'again').touch()\n"
    supervised = start([child("a", BEGIN + READY + once)])
    wait_until(lambda: supervised.children_records().count("a started") == 2, what="second start")


def test_every_child_stops_on_sigterm_and_later_stages_stop_first(start: Start) -> None:
    supervised = start([child("database")], [child("web"), child("worker")])
    supervised.end()
    stops = [line for line in supervised.children_records() if line.endswith("stopped")]
    assert set(stops[:2]) == {"web stopped", "worker stopped"}
    assert stops[2:] == ["database stopped"]
    assert supervised.process.returncode == 0


def test_ctrl_c_stops_as_sigterm_does(start: Start) -> None:
    supervised = start([child("a")])
    supervised.end(signal.SIGINT)
    assert supervised.process.returncode == 0
    assert supervised.children_records()[-1] == "a stopped"


def test_a_child_that_ignores_sigterm_is_killed_when_its_time_is_up(start: Start) -> None:
    supervised = start([child("a", IGNORES_SIGNALS, patience_s=0.3)])
    pid = supervised.pid("a")
    supervised.end()
    assert supervised.process.returncode == 0
    assert not psutil.pid_exists(pid)


def test_a_second_ctrl_c_kills_at_once(start: Start) -> None:
    supervised = start([child("a", IGNORES_SIGNALS, patience_s=60)])
    pid = supervised.pid("a")

    def interrupt_until_ended() -> bool:
        # Two signals in one instant are delivered once, so the test repeats it, as a user does.
        supervised.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            supervised.process.wait(0.2)
        return supervised.process.returncode is not None

    wait_until(interrupt_until_ended, what="end")
    assert supervised.process.returncode == 0
    assert not psutil.pid_exists(pid)


def test_a_second_ctrl_c_is_passed_on_to_the_children(start: Start) -> None:
    hurries = "signal.signal(signal.SIGUSR1, lambda *_: (note('hurried'), os._exit(0)))\n"
    supervised = start(
        [child("a", BEGIN + IGNORES_SIGTERM + hurries + READY + WAIT, patience_s=60) | {"is_hurried": True}]
    )
    supervised.process.send_signal(signal.SIGINT)
    wait_until(lambda: "a asked" in supervised.children_records(), what="the first one arrived")
    supervised.end(signal.SIGINT)
    assert supervised.children_records()[-1] == "a hurried"


def test_processes_of_a_child_end_with_it(start: Start) -> None:
    code = BEGIN + "print(subprocess.Popen(['sleep', '600']).pid)\n" + READY + WAIT
    supervised = start([child("a", code)])
    below = psutil.Process(supervised.pid("a")).children()
    assert [process.name() for process in below] == ["sleep"]
    supervised.end()
    assert not below[0].is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to their grandparent")
def test_an_orphan_in_its_own_session_ends_with_the_supervisor(start: Start) -> None:
    code = BEGIN + "subprocess.Popen(['sleep', '601'], start_new_session=True)\n" + READY + WAIT
    supervised = start([child("a", code)])
    orphan = psutil.Process(supervised.pid("a")).children()[0]
    os.kill(supervised.pid("a"), signal.SIGKILL)
    wait_until(lambda: supervised.children_records().count("a started") == 2, what="second start")
    supervised.end()
    assert not orphan.is_running()


def test_output_passes_through_unchanged(start: Start) -> None:
    writing = "print('tab\\there, ünï')\nprint('err', file=sys.stderr)\nsys.stdout.write('no end')\n"
    output, errors = start([child("a", BEGIN + writing + READY + WAIT)]).end()
    assert "tab\there, ünï\n" in output
    assert "no end" in output
    assert "err\n" in errors


def test_a_child_that_never_becomes_ready_ends_the_start_after_three_tries(start: Start) -> None:
    supervised = start([child("well")], [child("a", BEGIN + "sys.exit(7)")], ready=False)
    _, errors = supervised.process.communicate(timeout=15)
    assert supervised.process.returncode == 1
    assert errors.splitlines()[-1] == "a does not start: it exited with status 7."
    assert supervised.children_records().count("a started") == 3
    assert supervised.children_records()[-1] == "well stopped"


def test_a_failed_start_reports_the_first_exit_reason(start: Start) -> None:
    code = BEGIN + "print('ends', len(open(folder / 'notes').readlines()), file=sys.stderr)\nsys.exit(7)"
    supervised = start([child("a", code)], ready=False)
    _, errors = supervised.process.communicate(timeout=15)
    assert errors.splitlines()[-1] == "a does not start: it exited with status 7: ends 1"


def test_a_stop_removes_the_records_of_the_children(start: Start) -> None:
    supervised = start([child("a")])
    supervised.end()
    assert list(supervised.folder.glob("*.json")) == []


def test_the_next_supervisor_ends_the_children_of_a_killed_one(start: Start) -> None:
    supervised = start([child("a", IGNORES_SIGNALS), child("b")])
    children = [psutil.Process(supervised.pid(name)) for name in "ab"]
    supervised.process.kill()
    supervised.process.wait()
    assert all(is_alive(process) for process in children)
    assert PidRecords(supervised.folder).recover() == ["a", "b"]
    assert not any(is_alive(process) for process in children)


def test_another_process_with_a_recorded_pid_is_not_killed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as other_process:
        PidRecords(tmp_path).add("a", other_process.pid, ((signal.SIGTERM, 5.0),), stage=0)
        record = tmp_path / "a.json"
        fields = json.loads(record.read_text())
        record.write_text(json.dumps(fields | {"create_time": fields["create_time"] - 100}))
        assert PidRecords(tmp_path).recover() == []
        assert other_process.poll() is None
        other_process.kill()
