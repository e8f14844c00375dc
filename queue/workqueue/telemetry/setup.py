"""Puts together who looks on in a process."""

from workqueue.telemetry import Observers
from workqueue.telemetry.counters import Meter


def observing(meter: Meter, service: str, *, traces: bool) -> Observers:
    """service: the process, as spans name it. traces: whether a collector is set."""
    if not traces:
        return Observers((meter,))
    from workqueue.telemetry.tracing import Tracer  # here: what nobody asked for costs no memory

    return Observers((meter, Tracer(service)))
