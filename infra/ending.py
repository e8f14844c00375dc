"""Ends processes that are not our children, or no longer: asks, waits, kills, with all they had started."""

import signal
import time
from collections.abc import Iterable, Sequence

import psutil

PATIENCE_S = 3.0
PAUSE_S = 0.01


def end_trees(asked: Sequence[tuple[psutil.Process, int]]) -> None:
    """Send each process its signal; then kill what is left of them and of everything they had started."""
    trees = [process for parent, _ in asked for process in (parent, *descendants(parent))]
    for process, number in asked:
        send(process, number)
    alive = wait_ended([process for process, _ in asked])
    # Asked once more: what was started since is ended too.
    late = [child for process in alive for child in descendants(process)]
    kill_all([*trees, *late])


def kill_all(processes: Iterable[psutil.Process]) -> None:
    alive = [process for process in processes if is_alive(process)]
    for process in alive:
        send(process, signal.SIGKILL)
    wait_ended(alive)


def wait_ended(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Wait until they have ended; returns those that have not in time.

    Not psutil's own wait: it takes for alive what has ended and was not reaped, and a container's first
    process often reaps nothing.
    """
    deadline = time.monotonic() + PATIENCE_S
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        alive = [process for process in alive if is_alive(process)]
    return alive


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def send(process: psutil.Process, number: int) -> None:
    """psutil compares the create time first: a stranger with the same pid gets nothing."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return
