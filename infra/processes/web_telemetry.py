"""What a web process needs to be observed: a tracer of its own, and a slot for the numbers of its calls."""

import itertools
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from workqueue.telemetry.tracing import Tracer


def choose_slot(arbiter: Any, worker: Any) -> None:
    """Give a process about to be forked the first slot that no living one has: that of the one it stands in for."""
    taken = {other.slot for other in arbiter.WORKERS.values()}
    worker.slot = next(slot for slot in itertools.count() if slot not in taken)


class LateTracer:
    """Made at the first span: the exporter has a thread, and threads do not outlive the fork of a web process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Tracer | None = None

    def submitted(
        self, request_id: UUID, function: str, traceparent: str | None, began: datetime, ended: datetime
    ) -> None:
        self._tracer().submitted(request_id, function, traceparent, began, ended)

    def _tracer(self) -> "Tracer":
        with self._lock:
            if self._made is None:
                from workqueue.telemetry.tracing import Tracer

                self._made = Tracer("web")
            return self._made
