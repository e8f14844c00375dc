"""The metrics that are stored in PostgreSQL: names, help texts and labels. Each set of labels is bounded."""

from dataclasses import dataclass

from schema.statuses import CANCELLED

# Seconds, from the duration of a no-op to the longest timeout. Few, because each is stored with every histogram.
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A counter, or a histogram of seconds. name: without the suffix that Prometheus adds.

    known: the values of its only label, where these are fixed.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    is_histogram: bool = False
    known: tuple[str, ...] = ()


ATTEMPTS = Metric("localfn_attempts", "Attempts that ended, by outcome.", ("function", "outcome"))
REQUESTS = Metric(
    "localfn_requests_ended",
    "Requests that ended; status is completed, failed or cancelled.",
    ("function", "status"),
)
COLD_STARTS = Metric("localfn_cold_starts", "Attempts that started in a new sandbox.", ("function",))
CAUSES = {  # by the error type of an attempt
    "TimedOut": "timeout",
    "OutOfMemory": "memory",
    "SandboxExited": "exit",
    CANCELLED: "cancel",
    "Stopping": "stop",
}
KILLS = Metric(
    "localfn_sandbox_kills",
    "Sandboxes that were killed or exited during a request.",
    ("cause",),
    known=tuple(CAUSES.values()),
)
LEASES_LOST = Metric("localfn_leases_lost", "Leases that expired because their worker was lost.")
ACTIONS = ("rang", "rerun", "failed")
RECONCILER = Metric(
    "localfn_reconciler_actions",
    "Requests that the reconciler rang for, gave back or failed.",
    ("action",),
    known=ACTIONS,
)
QUEUE_WAIT = Metric("localfn_queue_wait_seconds", "From the due time of a request to its claim.", ("function",), True)
RUN = Metric("localfn_run_seconds", "From the claim to the end of an attempt, unless cancelled.", ("function",), True)
PHASE = Metric("localfn_phase_seconds", "Duration of each phase.", ("function", "phase"), True)
INIT = Metric("localfn_cold_start_seconds", "Starting a sandbox and importing the function.", ("function",), True)
LATENESS = Metric("localfn_schedule_lateness_seconds", "From the scheduled time to the submission.", (), True)

ALL = (ATTEMPTS, REQUESTS, COLD_STARTS, KILLS, LEASES_LOST, RECONCILER, QUEUE_WAIT, RUN, PHASE, INIT, LATENESS)
