"""Check that the reason of a sandbox's end comes from its exit status and the kernel's counters."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from workqueue.sandboxes.exits.exit_status import sandbox_exit_message
from workqueue.sandboxes.exits.memory_watch import RECENT_MEASUREMENTS, MemoryWatch, OomKills, oom_counters

EVENTS = "low 0\nhigh 0\nmax 12\noom 1\noom_kill {}\noom_group_kill 0\n"


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    file = tmp_path / "memory.events"
    file.write_text(EVENTS.format(3))
    return file


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "The sandbox exited with status 0 at work."),
        (3, "The sandbox exited with status 3 at work."),
        (-signal.SIGKILL, "The sandbox was killed by SIGKILL at work. localfn did not send it."),
        (-signal.SIGTERM, "The sandbox was killed by SIGTERM at work."),
        (-signal.SIGRTMIN - 5, "The sandbox was killed by signal 39 at work."),
    ],
)
def test_an_exit_is_described_by_its_status(status: int, words: str) -> None:
    assert sandbox_exit_message(status, "at work") == words


def measure(watch: MemoryWatch, kills: OomKills) -> float | None:
    kills.read()
    return watch.measure_excess()


def test_a_kill_that_the_kernel_counted_is_for_memory(counter: Path) -> None:
    kills = OomKills([counter])
    watch = MemoryWatch(os.getpid(), 1024, kills)
    assert not watch.was_killed_for_memory(), "there is no measurement yet"
    measure(watch, kills)
    assert not watch.was_killed_for_memory()
    counter.write_text(EVENTS.format(4))
    assert watch.was_killed_for_memory()


def test_a_kill_is_still_counted_when_the_process_takes_a_while_to_die(counter: Path) -> None:
    kills = OomKills([counter])
    watch = MemoryWatch(os.getpid(), 1024, kills)
    measure(watch, kills)
    counter.write_text(EVENTS.format(4))
    for _ in range(RECENT_MEASUREMENTS - 1):
        measure(watch, kills)
    assert watch.was_killed_for_memory()


def test_an_older_kill_is_of_another_process(counter: Path) -> None:
    kills = OomKills([counter])
    watch = MemoryWatch(os.getpid(), 1024, kills)
    measure(watch, kills)
    counter.write_text(EVENTS.format(4))
    for _ in range(RECENT_MEASUREMENTS):
        measure(watch, kills)
    assert not watch.was_killed_for_memory()


@pytest.mark.parametrize("content", ["", "oom_kill\n", "oom_kill many\n", "oom 5\n"])
def test_without_a_kernel_counter_memory_is_not_blamed(tmp_path: Path, content: str) -> None:
    file = tmp_path / "memory.events"
    file.write_text(content)
    for counters in ([file], [tmp_path / "nothing"], []):
        kills = OomKills(counters)
        watch = MemoryWatch(os.getpid(), None, kills)
        assert measure(watch, kills) is None
        assert not watch.was_killed_for_memory()


def test_the_last_measurement_is_described() -> None:
    kills = OomKills([])
    watch = MemoryWatch(os.getpid(), 1_000_000, kills)
    assert watch.last_measurement() == ""
    measure(watch, kills)
    assert "MB of memory when that was last measured; 1000000 MB are allowed." in watch.last_measurement()
    assert MemoryWatch(os.getpid(), 1, kills).measure_excess() is not None


@pytest.mark.skipif(not psutil.LINUX, reason="other kernels have no such counter")
def test_the_kernels_own_counter_is_found_and_read() -> None:
    (file,) = oom_counters()
    kills = OomKills([file])
    watch = MemoryWatch(os.getpid(), None, kills)
    measure(watch, kills)
    assert any(line.startswith("oom_kill ") for line in file.read_text().splitlines())
    assert not watch.was_killed_for_memory()
