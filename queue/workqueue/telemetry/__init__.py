"""What is told of attempts beside their rows: numbers (meter, totals) and spans (tracing).

The hot path calls `Observers.ended` once for all that ended together; what observers do there costs microseconds and
never a server. Numbers go to PostgreSQL with the worker's sign of life, spans by a thread of the exporter's. Of what a
lost worker held the reconciler tells.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schema.statuses import Status
from workqueue.lifecycle import AttemptRecord, Claim, ExpiredLease

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """An attempt that is over and stored. status: the request's now; pending when another attempt follows."""

    claim: Claim
    record: AttemptRecord
    status: Status


class Observer(Protocol):
    def ended(self, settled: Sequence[AttemptFinished], now: datetime) -> None:
        """Called by the thread that settled them. Must be quick."""

    def lost(self, lapsed: Sequence[ExpiredLease], now: datetime) -> None:
        """Called by the reconciler: whoever held these fell silent, and will tell nothing of them."""

    def close(self) -> None:
        """The process ends."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Whoever wants to know."""

    each: tuple[Observer, ...] = ()

    def ended(self, settled: Sequence[AttemptFinished], now: datetime) -> None:
        self._tell(lambda observer: observer.ended(settled, now))

    def lost(self, lapsed: Sequence[ExpiredLease], now: datetime) -> None:
        self._tell(lambda observer: observer.lost(lapsed, now))

    def close(self) -> None:
        for observer in self.each:
            observer.close()

    def _tell(self, news: Callable[[Observer], None]) -> None:
        for observer in self.each:
            try:
                news(observer)
            except Exception:
                # They are stored already: whoever only looks on must not undo that.
                log.exception("an observer failed")
