"""Cancels what a person wants ended. What waits ends at once, and no worker is there to count it: it is counted here.

After the commit, and by a statement of its own: a counter is worth no row that others would wait for.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from workqueue import lifecycle
from workqueue.audit import AuditEntry
from workqueue.telemetry import metric_store
from workqueue.telemetry.counters import Counters


def cancel(engine: Engine, counters: Counters, request_id: UUID, now: datetime, act: AuditEntry | None = None) -> None:
    """One that runs is killed by its worker. Raises as `lifecycle.cancel`."""
    function = lifecycle.cancel(engine, request_id, now, act)
    if function is not None:
        _count(engine, counters, [function])


def cancel_pending_in_queue(
    engine: Engine, counters: Counters, queue: str, now: datetime, act: AuditEntry | None = None
) -> list[UUID]:
    """A part of what waits in a queue; none is left when it gives none."""
    functions = lifecycle.cancel_pending_in_queue(engine, queue, now, act=act)
    _count(engine, counters, functions.values())
    return list(functions)


def _count(engine: Engine, counters: Counters, functions: Iterable[str]) -> None:
    counters.cancelled(functions)
    metric_store.flush(engine, counters)
