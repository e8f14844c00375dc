"""Periodic tasks of a leader, run one after another. A task may take long: no request waits for it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from schema.advisory_locks import Lock
from workqueue.database import error_summary, is_outage
from workqueue.maintenance.leader import LeaderSession, run_as_leader

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PeriodicTask:
    """A periodic task. Its errors do not affect the other tasks.

    do: may return how much it did. full: the amount after which it runs again at once, since more is left.
    """

    name: str
    every_s: float
    do: Callable[[], object]
    full: int | None = None
    due_at: float = 0.0

    def run_if_due(self) -> None:
        """Run the task if it is due; log its error."""
        if time.monotonic() < self.due_at:
            return
        self.due_at = time.monotonic() + self.every_s
        try:
            done = self.do()
        except Exception as error:
            # The leader's other tasks must continue after any error. Only an unexpected error needs its traceback.
            unexpected = None if is_outage(error) or isinstance(error, RedisError) else error
            log.warning(
                "periodic task failed", extra={"task": self.name, "error": error_summary(error)}, exc_info=unexpected
            )
        else:
            if self.full is not None and done == self.full:
                self.due_at = 0.0


def run_periodic_tasks(
    session: LeaderSession, role: Lock, tasks: Sequence[PeriodicTask], stopping: threading.Event
) -> None:
    """Run the tasks while this process leads. Return when `stopping` is set, after the current task."""

    def run_iteration() -> None:
        for task in tasks:
            if stopping.is_set():
                return
            task.run_if_due()

    def pause_s() -> float:
        return max(0.0, min(task.due_at for task in tasks) - time.monotonic())

    run_as_leader(session, role, run_iteration, stopping, pause_s=pause_s)
