"""Make the observers of a process."""

from workqueue.telemetry import Observers
from workqueue.telemetry.counters import Counters


def make_observers(counters: Counters, service: str, *, traces: bool) -> Observers:
    """Return the observers. service: the name of the process in spans. traces: whether a collector is configured."""
    if not traces:
        return Observers((counters,))
    from workqueue.telemetry.tracing import Tracer  # imported only if used: OpenTelemetry needs much memory

    return Observers((counters, Tracer(service)))
