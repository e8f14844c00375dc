"""Ends processes that are not children of this one, or no longer: asks, waits, kills, with all they had started."""

import signal
import time
from collections.abc import Iterable, Sequence

import psutil

PATIENCE_S = 3.0
PAUSE_S = 0.01


Steps = Sequence[tuple[int, float]]  # signals, gentle ones first, each with the seconds that it is given


def terminate_trees(asked: Sequence[tuple[psutil.Process, Steps]]) -> None:
    """Take all through their steps together; then kill what is left of them and of everything they had started."""
    trees = [process for parent, _ in asked for process in (parent, *descendants(parent))]
    for place in range(max((len(steps) for _, steps in asked), default=0)):
        due = [(process, steps[place]) for process, steps in asked if place < len(steps) and is_alive(process)]
        for process, (number, _) in due:
            send(process, number)
        wait_ended([process for process, _ in due], max((patience_s for _, (_, patience_s) in due), default=0.0))
    alive = [process for process, _ in asked if is_alive(process)]
    # Asked once more: what was started since is ended too.
    late = [child for process in alive for child in descendants(process)]
    kill_all([*trees, *late])


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill them and wait until they have ended."""
    alive = [process for process in processes if is_alive(process)]
    for process in alive:
        send(process, signal.SIGKILL)
    wait_ended(alive)


def wait_ended(processes: Iterable[psutil.Process], patience_s: float = PATIENCE_S) -> list[psutil.Process]:
    """Wait until they have ended; return those that have not in time.

    Not psutil's own wait: it takes for alive what has ended and was not reaped, and a container's first
    process often reaps nothing.
    """
    deadline = time.monotonic() + patience_s
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


def kill_descendants() -> None:
    """Kill every process below this one, so that nothing outlives `up` that a worker or a daemonising function started.

    On Linux the orphans among them have become children of this process; elsewhere only those that still descend from
    it when the stop begins are found.
    """
    kill_all(descendants(psutil.Process()))
