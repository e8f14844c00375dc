"""What is told of attempts beside their rows: numbers (meter, totals) and spans (tracing).

The hot path calls `Observers.ended` once for all that ended together; what observers do there costs microseconds and
never a server. Numbers go to PostgreSQL with the worker's sign of life, spans by a thread of the exporter's.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schema.statuses import Status
from workqueue.lifecycle.claims import Claim, Record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt that is over and stored. status: the request's now; pending when another attempt follows."""

    claim: Claim
    record: Record
    status: Status


class Observer(Protocol):
    def ended(self, settled: Sequence[Settled], now: datetime) -> None:
        """Called by the thread that settled them. Must be quick."""

    def close(self) -> None:
        """The process ends."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Whoever wants to know."""

    each: tuple[Observer, ...] = ()

    def ended(self, settled: Sequence[Settled], now: datetime) -> None:
        for observer in self.each:
            try:
                observer.ended(settled, now)
            except Exception:
                # They are stored already: whoever only looks on must not undo that.
                log.exception("an observer failed")

    def close(self) -> None:
        for observer in self.each:
            observer.close()
