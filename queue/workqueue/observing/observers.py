"""Puts together who looks on in a process."""

from workqueue.observing import Observers
from workqueue.observing.meter import Meter


def observing(meter: Meter, service: str, *, traces: bool) -> Observers:
    """service: the process, as spans name it. traces: whether a collector is set."""
    if not traces:
        return Observers((meter,))
    from workqueue.observing.tracing import Tracer  # here: what nobody asked for costs no memory

    return Observers((meter, Tracer(service)))
