"""The child processes of a pool: fork them with all modules imported, and find those that hang.

Unlike multiprocessing, a failed fork leaves no descriptors open, so the pool can retry it for hours.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.process import ForkedProcess

log = logging.getLogger(__name__)

STILL_S = 2.0  # an event loop that has not turned for this long hangs
STOPPED_S = 0.3  # a process that a signal has stopped for this long does not go on by itself
GAP_S = 1.0  # between two checks: this process stood still itself, and all others perhaps with it


@dataclass(frozen=True, slots=True)
class Member:
    """A child process of the pool. RQ's pool reads name and pid."""

    name: str
    pid: int
    process: ForkedProcess


def fork(name: str, main: Callable[[], None]) -> Member:
    """Run `main` in a child process. Raises OSError when the machine is out of processes or memory."""
    pid = os.fork()
    if pid == 0:
        _run_child(main)
    return Member(name, pid, ForkedProcess(pid))


def _run_child(main: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        log.exception("process of the pool failed")
    finally:
        logging.shutdown()
        os._exit(status)  # skip the exit handlers of the pool


class Watchdog:
    """Watch the workers of one pool."""

    def __init__(self) -> None:
        self._stopped_since: dict[str, float] = {}
        self._checked_at = self._trusted_from = time.monotonic()
        self.is_calm = True

    def hung(self, workers: Iterable[Member], activities: Mapping[str, WorkerActivity]) -> list[str]:
        """Return the names of the workers that hang."""
        now = time.monotonic()
        if now - self._checked_at > GAP_S:  # a suspended machine, or a frozen control group: let them turn first
            self._trusted_from = now
            self._stopped_since.clear()
        self._checked_at = now
        found = [member.name for member in workers if self._hangs(member, activities[member.name], now)]
        self.is_calm = not self._stopped_since and not found
        return found

    def forget(self, worker: str) -> None:
        """Drop what is known about a worker that has ended."""
        self._stopped_since.pop(worker, None)

    def _hangs(self, member: Member, activity: WorkerActivity, now: float) -> bool:
        if not process_tree.is_stopped(member.pid):
            self._stopped_since.pop(member.name, None)
        elif now - self._stopped_since.setdefault(member.name, now) >= STOPPED_S:
            return True
        ticked_at = activity.ticked_at()
        return ticked_at > 0 and now - max(ticked_at, self._trusted_from) >= STILL_S
