"""Cancel requests and count those that end by it.

A pending request ends without a worker, so its end is counted here: after the commit and by a statement of its own,
since no transition should wait for the row of a counter.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from workqueue import lifecycle
from workqueue.audit import AuditEntry
from workqueue.telemetry import metric_store
from workqueue.telemetry.counters import Counters


def cancel(
    engine: Engine, counters: Counters, request_id: UUID, now: datetime, audit_entry: AuditEntry | None = None
) -> None:
    """Cancel a request; if it is processing, its worker kills it. Raises the errors of `lifecycle.cancel`."""
    function = lifecycle.cancel(engine, request_id, now, audit_entry)
    if function is not None:
        _count(engine, counters, [function])


def cancel_pending_in_queue(
    engine: Engine, counters: Counters, queue: str, now: datetime, audit_entry: AuditEntry | None = None
) -> list[UUID]:
    """Cancel some of the pending requests of a queue, and return their ids; call again until the list is empty."""
    functions = lifecycle.cancel_pending_in_queue(engine, queue, now, audit_entry=audit_entry)
    _count(engine, counters, functions.values())
    return list(functions)


def _count(engine: Engine, counters: Counters, functions: Iterable[str]) -> None:
    counters.on_cancelled(functions)
    metric_store.flush(engine, counters)
