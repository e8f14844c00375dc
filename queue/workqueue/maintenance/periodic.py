"""Chores: what the leader does now and then, one after another. Each may last; nobody's request waits for one."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError
from sqlalchemy import Engine

from schema.advisory_locks import Lock
from workqueue.database import error_summary, is_outage
from workqueue.maintenance.leader import run_as_leader

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PeriodicTask:
    """One of them; an error of it is no matter of the others.

    do: may give how much it did. full: when it did so much, there is more, and it goes on at once.
    """

    name: str
    every_s: float
    do: Callable[[], object]
    full: int | None = None
    due_at: float = 0.0

    def run_if_due(self) -> None:
        if time.monotonic() < self.due_at:
            return
        self.due_at = time.monotonic() + self.every_s
        try:
            done = self.do()
        except Exception as error:
            # The leader's other work must go on, whatever it is. An outage is no news after its first line; what
            # nobody expected needs its traceback.
            unexpected = None if is_outage(error) or isinstance(error, RedisError) else error
            log.warning(
                "a chore failed", extra={"chore": self.name, "error": error_summary(error)}, exc_info=unexpected
            )
        else:
            if self.full is not None and done == self.full:
                self.due_at = 0.0


def run_periodic_tasks(engine: Engine, role: Lock, tasks: Sequence[PeriodicTask], stopping: threading.Event) -> None:
    """Does them while it leads; else waits to lead. Ends when `stopping` is set, after the chore under way."""

    def turn() -> None:
        for task in tasks:
            if stopping.is_set():
                return
            task.run_if_due()

    run_as_leader(engine, role, turn, stopping)
