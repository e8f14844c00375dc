"""Puts together who looks on in a process."""

from workqueue.telemetry import Observers
from workqueue.telemetry.counters import Counters


def make_observers(counters: Counters, service: str, *, traces: bool) -> Observers:
    """service: the process, as spans name it. traces: whether a collector is set."""
    if not traces:
        return Observers((counters,))
    from workqueue.telemetry.tracing import Tracer  # here: what nobody asked for costs no memory

    return Observers((counters, Tracer(service)))
