"""Telemetry of attempts: metrics (counters, metric_store) and spans (tracing).

The hot path calls `Observers.on_finished` once for a batch; observers must take microseconds and call no server.
Metrics go to PostgreSQL with the worker's heartbeat, spans through the exporter's thread. The reconciler reports the
attempts of lost workers.
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
    """An attempt whose end is stored. status: that of the request; pending when another attempt follows."""

    claim: Claim
    record: AttemptRecord
    status: Status


class Observer(Protocol):
    """A receiver of attempts' ends."""

    def on_finished(self, finished: Sequence[AttemptFinished], now: datetime) -> None:
        """Record finished attempts, on the thread that stored them. Must be quick."""

    def on_lost(self, expired: Sequence[ExpiredLease], now: datetime) -> None:
        """Record the attempts of lost workers, on the reconciler's thread."""

    def close(self) -> None:
        """Flush at the end of the process."""


@dataclass(frozen=True, slots=True)
class Observers:
    """The observers of a process. An error of an observer is logged and not raised."""

    each: tuple[Observer, ...] = ()

    def on_finished(self, finished: Sequence[AttemptFinished], now: datetime) -> None:
        self._notify(lambda observer: observer.on_finished(finished, now))

    def on_lost(self, expired: Sequence[ExpiredLease], now: datetime) -> None:
        self._notify(lambda observer: observer.on_lost(expired, now))

    def close(self) -> None:
        for observer in self.each:
            observer.close()

    def _notify(self, call: Callable[[Observer], None]) -> None:
        for observer in self.each:
            try:
                call(observer)
            except Exception:
                # The attempts are stored already: an observer's error must not undo that.
                log.exception("observer failed")


def make_observers(counters: Observer, service: str, *, traces: bool) -> Observers:
    """Return the observers of a process. service: its name in spans. traces: whether a collector is configured."""
    if not traces:
        return Observers((counters,))
    from workqueue.telemetry.tracing import Tracer  # imported only if used: OpenTelemetry needs much memory

    return Observers((counters, Tracer(service)))
