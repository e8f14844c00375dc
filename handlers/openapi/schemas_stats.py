"""The shapes of queues, workers, sandboxes, statistics, and of actions on many requests."""

from typing import Any

from handlers.openapi.json_schema import (
    Shape,
    array,
    closed,
    flag,
    listing,
    mapping,
    moment,
    nullable,
    number,
    one_of,
    shape,
    text,
    uuid,
    whole,
)
from schema.statuses import Phase, Status

COUNT = whole(minimum=0)
TIMES = array(moment(), "the minutes, oldest first")


def _percentiles(*names: str) -> dict[str, Any]:
    return {name: nullable(number("ms")) for name in names}


PERCENTILES = shape("Percentiles", **_percentiles("p50", "p95", "p99"))
PERCENTILE_SERIES = shape("PercentileSeries", **{name: array(nullable(number("ms"))) for name in ("p50", "p95", "p99")})
CANCELLED = whole("ended by a person's cancel: their status is failed, but no figure counts them as failed", minimum=0)
BY_STATUS = shape("CountByStatus", **{str(status): COUNT for status in Status}, cancelled=CANCELLED)

QUEUE = shape(
    "Queue",
    name=text(),
    depth=whole("requests that are due"),
    scheduled=whole("requests that have a later time"),
    oldest_age_s=nullable(number("how long the oldest that is due has been waiting")),
    paused=flag(),
    paused_at=nullable(moment()),
    workers=whole("that serve it"),
)
QUEUES = listing("Queues", QUEUE)
CHANGED_QUEUE = shape(
    "ChangedQueue",
    "A queue as a caller sees it that may steer it and not read it.",
    name=text(),
    paused=flag(),
    paused_at=nullable(moment()),
)
EMPTIED = shape(
    "EmptiedQueue",
    name=text(),
    cancelled=whole("requests that waited"),
    complete=flag("false: more were there than fit into one call; ask again"),
)

WORKER = shape(
    "Worker",
    name=text(),
    host=text(),
    pid=whole(),
    queues=array(text()),
    state=text(examples=["busy", "idle"]),
    started_at=moment(),
    seen_at=moment("its last sign of life"),
    request_id=nullable(uuid("what it runs")),
    function=nullable(text()),
    phase=nullable(one_of(Phase)),
    since=nullable(moment()),
    held=whole("requests that it took together"),
)
WORKERS = listing("Workers", WORKER)
SANDBOX = shape(
    "Sandbox",
    id=text(),
    host=text(),
    pid=whole(),
    function=nullable(text()),
    state=text(),
    worker=nullable(text()),
    memory_mb=nullable(number()),
    age_s=number(),
)
SANDBOXES = listing("Sandboxes", SANDBOX)

SPARKLINE = shape("Sparkline", times=array(moment(), "hours"), completed=array(COUNT), failed=array(COUNT))
HEALTH: dict[str, Any] = {
    **{str(status): COUNT for status in Status},
    "cancelled": CANCELLED,
    "count": whole("completed and failed", minimum=0),
    "failures": COUNT,
    **_percentiles("p50_ms", "p95_ms", "wait_p95_ms"),
}
FUNCTION_STATS = shape(
    "FunctionStats", "What waits and runs of it now, and its last 24 hours.", **HEALTH, sparkline=SPARKLINE
)
FUNCTIONS_STATS = shape(
    "FunctionsStats",
    "The last 24 hours of every function of which there was something.",
    time=moment(),
    times=array(moment(), "the hours of all sparklines"),
    functions=mapping(
        shape("FunctionHealth", **HEALTH, sparkline=shape("HealthLine", completed=array(COUNT), failed=array(COUNT)))
    ),
)
TROUBLE = shape(
    "Trouble",
    "What is wrong, in words.",
    code=text(examples=["no_worker"]),
    severity=one_of(("error", "warning", "info")),
    text=text(),
    since=nullable(moment()),
    subject=nullable(shape("TroubleSubject", kind=text(), name=text("empty where it tells of several"))),
    count=whole("of how many it tells", minimum=1),
)
COUNTS = shape(
    "Counts",
    by_status=BY_STATUS,
    by_function=mapping(BY_STATUS, "the 100 functions of which there was most"),
    ended_within_s=whole("how far back the ended go"),
)
PER_MINUTE = shape(
    "Throughput",
    per_minute=whole("in the last whole minute"),
    times=TIMES,
    completed=array(COUNT),
    failed=array(COUNT),
    cancelled=array(CANCELLED),
)
LATENCY = shape("Latency", within_s=whole(), wait_ms=PERCENTILES, run_ms=PERCENTILES)
LATENCY_SERIES = shape("LatencySeries", times=TIMES, wait_ms=PERCENTILE_SERIES, run_ms=PERCENTILE_SERIES)
FAILURES = shape(
    "Failures", times=TIMES, by_function=mapping(array(COUNT), "the 20 functions that failed most, the worst first")
)
DEPTHS = shape("QueueDepths", times=TIMES, by_queue=mapping(array(nullable(COUNT), "null where nobody looked")))
STATS: Shape = shape(
    "Stats",
    time=moment(),
    counts=COUNTS,
    throughput=PER_MINUTE,
    latency=LATENCY,
    latency_series=LATENCY_SERIES,
    failures=FAILURES,
    queue_depth=mapping(COUNT),
    queue_depth_series=DEPTHS,
    queues=array(QUEUE),
    workers=shape("WorkerCounts", alive=COUNT, busy=COUNT),
    problems=array(TROUBLE),
)

HIGHLIGHT = shape(
    "Highlight",
    "A request without its event.",
    id=uuid(),
    function=text(),
    status=one_of(Status),
    phase=nullable(one_of(Phase)),
    progress=shape("HighlightProgress", fraction=nullable(number()), message=nullable(text())),
    started_at=nullable(moment()),
    finished_at=nullable(moment()),
    error_type=nullable(text()),
    error_message=nullable(text("its beginning")),
)
HIGHLIGHTS = shape(
    "Highlights",
    running=array(HIGHLIGHT, "what runs, longest first"),
    failed=array(HIGHLIGHT, "failures, latest first"),
)

ACTIONS = one_of(("retry", "run", "cancel", "delete"))
BULK = closed(shape("BulkAction", action=ACTIONS, ids=array(uuid(), minItems=1, maxItems=1000)))
BULK_OUTCOME = shape(
    "BulkOutcome",
    id=uuid(),
    done=flag(),
    detail=nullable(text("why not")),
)
BULK_OUTCOMES = shape("BulkOutcomes", action=ACTIONS, done=COUNT, items=array(BULK_OUTCOME))
