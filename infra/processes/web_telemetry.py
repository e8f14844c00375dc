"""Provide a web process with its own tracer and with a slot for its metrics."""

import itertools
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from workqueue.telemetry.tracing import Tracer


def choose_slot(arbiter: Any, worker: Any) -> None:
    """Give a process about to be forked the first free slot: that of the process it replaces."""
    taken = {other.slot for other in arbiter.WORKERS.values()}
    worker.slot = next(slot for slot in itertools.count() if slot not in taken)


class LazyTracer:
    """Create the tracer at the first span: its exporter has a thread, and threads do not survive a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._created: Tracer | None = None

    def submitted(
        self, request_id: UUID, function: str, traceparent: str | None, began: datetime, ended: datetime
    ) -> None:
        self._tracer().on_submitted(request_id, function, traceparent, began, ended)

    def _tracer(self) -> "Tracer":
        with self._lock:
            if self._created is None:
                from workqueue.telemetry.tracing import Tracer

                self._created = Tracer("web")
            return self._created
