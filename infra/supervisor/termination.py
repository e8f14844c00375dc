"""End processes that are not, or no longer, children of this process: signal, wait, kill, with their descendants."""

import signal
import sys
import time
from collections.abc import Iterable, Sequence

import psutil

END_TIMEOUT_S = 3.0
POLL_INTERVAL_S = 0.01


Steps = Sequence[tuple[int, float]]  # signals in order, each with a timeout in seconds


def terminate_trees(targets: Sequence[tuple[psutil.Process, Steps]]) -> None:
    """Take all processes through their steps together; then kill them and their descendants."""
    trees = [process for parent, _ in targets for process in (parent, *descendants(parent))]
    for index in range(max((len(steps) for _, steps in targets), default=0)):
        due = [(process, steps[index]) for process, steps in targets if index < len(steps) and is_alive(process)]
        for process, (number, _) in due:
            send_signal(process, number)
        wait_until_ended([process for process, _ in due], max((timeout_s for _, (_, timeout_s) in due), default=0.0))
    alive = [process for process, _ in targets if is_alive(process)]
    # Search again: include processes that were started meanwhile.
    late = [child for process in alive for child in descendants(process)]
    kill_all([*trees, *late])


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill the processes and wait until they have ended."""
    alive = [process for process in processes if is_alive(process)]
    for process in alive:
        send_signal(process, signal.SIGKILL)
    wait_until_ended(alive)


def wait_until_ended(processes: Iterable[psutil.Process], timeout_s: float = END_TIMEOUT_S) -> list[psutil.Process]:
    """Wait until the processes have ended; return those that have not in time.

    psutil's own wait treats an unreaped zombie as alive, and the first process of a container often reaps nothing.
    """
    deadline = time.monotonic() + timeout_s
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
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


def send_signal(process: psutil.Process, number: int) -> None:
    """Send a signal. psutil compares the start time first, so another process with the same pid gets nothing."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def kill_descendants() -> None:
    """Kill every process below this one, so that nothing outlives `up` that a worker or a daemonising function started.

    On Linux the orphans among them have become children of this process. Elsewhere those are found that still descend
    from it, and those whose environment names an ended sandbox pool.
    """
    kill_all(descendants(psutil.Process()))
    if sys.platform != "linux":
        from workqueue.sandboxes.process_tree import kill_abandoned

        kill_abandoned()
