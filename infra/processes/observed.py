"""What a web process needs to be observed: files for its numbers, and a tracer of its own."""

import os
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from workqueue.observing.tracing import Tracer

FOLDER = "metrics"


def share_numbers(home: Path) -> None:
    """The web processes of this machine count into files of one folder. Before prometheus_client is imported."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.glob("*.db"):  # of processes that were there before: theirs is another series
        path.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


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
                from workqueue.observing.tracing import Tracer

                self._made = Tracer("web")
            return self._made
