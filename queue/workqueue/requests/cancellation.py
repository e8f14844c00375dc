"""Cancels what a person wants ended. What waits ends at once, and no worker is there to count it: it is counted here.

After the commit, and by a statement of its own: a counter is worth no row that others would wait for.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from workqueue import lifecycle
from workqueue.audit import Act
from workqueue.telemetry import metric_store
from workqueue.telemetry.counters import Meter


def cancel(engine: Engine, meter: Meter, request_id: UUID, now: datetime, act: Act | None = None) -> None:
    """One that runs is killed by its worker. Raises as `lifecycle.cancel`."""
    function = lifecycle.cancel(engine, request_id, now, act)
    if function is not None:
        _count(engine, meter, [function])


def empty(engine: Engine, meter: Meter, queue: str, now: datetime, act: Act | None = None) -> list[UUID]:
    """A part of what waits in a queue; none is left when it gives none."""
    functions = lifecycle.empty(engine, queue, now, act=act)
    _count(engine, meter, functions.values())
    return list(functions)


def _count(engine: Engine, meter: Meter, functions: Iterable[str]) -> None:
    meter.cancelled(functions)
    metric_store.hand_over(engine, meter)
