"""Every metric that is kept in PostgreSQL: its name, what it means, its labels. Each set of labels is bounded."""

from dataclasses import dataclass

from schema.statuses import CANCELLED

# Seconds. Few, because each is a number in every histogram: from what a no-op takes to the longest timeout.
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """name: without the suffix that Prometheus adds. is_histogram: of seconds; else a counter.

    known: the values of its one label, where they are known beforehand.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    is_histogram: bool = False
    known: tuple[str, ...] = ()


ATTEMPTS = Metric("localfn_attempts", "Attempts that ended, by how.", ("function", "outcome"))
REQUESTS = Metric(
    "localfn_requests_ended",
    "Requests that ended; status is completed, failed or cancelled.",
    ("function", "status"),
)
COLD_STARTS = Metric("localfn_cold_starts", "Attempts that began in a fresh sandbox.", ("function",))
CAUSES = {  # by an attempt's error
    "TimedOut": "timeout",
    "OutOfMemory": "memory",
    "SandboxExited": "exit",
    CANCELLED: "cancel",
    "Stopping": "stop",
}
KILLS = Metric(
    "localfn_sandbox_kills",
    "Sandboxes that were killed or ended at work.",
    ("cause",),
    known=tuple(CAUSES.values()),
)
LEASES_LOST = Metric("localfn_leases_lost", "Workers that held a request and fell silent.")
ACTIONS = ("rang", "rerun", "failed")
RECONCILER = Metric("localfn_reconciler_actions", "What the reconciler put right.", ("action",), known=ACTIONS)
QUEUE_WAIT = Metric("localfn_queue_wait_seconds", "From when it was due to the claim.", ("function",), True)
RUN = Metric("localfn_run_seconds", "From the claim to the attempt's end; not of cancelled ones.", ("function",), True)
PHASE = Metric("localfn_phase_seconds", "How long each phase took.", ("function", "phase"), True)
INIT = Metric("localfn_cold_start_seconds", "Making a sandbox and importing the function.", ("function",), True)
LATENESS = Metric("localfn_schedule_lateness_seconds", "From a schedule's time to its request.", (), True)

ALL = (ATTEMPTS, REQUESTS, COLD_STARTS, KILLS, LEASES_LOST, RECONCILER, QUEUE_WAIT, RUN, PHASE, INIT, LATENESS)
