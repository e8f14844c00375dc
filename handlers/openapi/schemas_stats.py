"""The shapes of queues, workers, sandboxes, statistics, and of actions on many requests."""

from typing import Any

from handlers.openapi.json_schema import (
    Component,
    array,
    boolean,
    closed,
    component,
    date_time,
    enum,
    integer,
    item_list,
    map_of,
    nullable,
    number,
    string,
    uuid,
)
from schema.statuses import Phase, Status

COUNT = integer(minimum=0)
TIMES = array(date_time(), "the minutes, oldest first")


def _percentiles(*names: str) -> dict[str, Any]:
    return {name: nullable(number("ms")) for name in names}


PERCENTILES = component("Percentiles", **_percentiles("p50", "p95", "p99"))
PERCENTILE_SERIES = component(
    "PercentileSeries", **{name: array(nullable(number("ms"))) for name in ("p50", "p95", "p99")}
)
CANCELLED = integer(
    "ended by a person's cancel: their status is failed, but no figure counts them as failed", minimum=0
)
BY_STATUS = component("CountByStatus", **{str(status): COUNT for status in Status}, cancelled=CANCELLED)

QUEUE = component(
    "Queue",
    name=string(),
    depth=integer("requests that are due"),
    scheduled=integer("requests that have a later time"),
    oldest_age_s=nullable(number("how long the oldest that is due has been waiting")),
    paused=boolean(),
    paused_at=nullable(date_time()),
    workers=integer("that serve it"),
)
QUEUES = item_list("Queues", QUEUE)
CHANGED_QUEUE = component(
    "ChangedQueue",
    "A queue as a caller sees it that may steer it and not read it.",
    name=string(),
    paused=boolean(),
    paused_at=nullable(date_time()),
)
EMPTIED = component(
    "EmptiedQueue",
    name=string(),
    cancelled=integer("requests that waited"),
    complete=boolean("false: more were there than fit into one call; ask again"),
)

WORKER = component(
    "Worker",
    name=string(),
    host=string(),
    pid=integer(),
    queues=array(string()),
    state=string(examples=["busy", "idle"]),
    started_at=date_time(),
    seen_at=date_time("its last sign of life"),
    request_id=nullable(uuid("what it runs")),
    function=nullable(string()),
    phase=nullable(enum(Phase)),
    since=nullable(date_time()),
    held=integer("requests that it took together"),
)
WORKERS = item_list("Workers", WORKER)
SANDBOX = component(
    "Sandbox",
    id=string(),
    host=string(),
    pid=integer(),
    function=nullable(string()),
    state=string(),
    worker=nullable(string()),
    memory_mb=nullable(number()),
    age_s=number(),
)
SANDBOXES = item_list("Sandboxes", SANDBOX)

SPARKLINE = component("Sparkline", times=array(date_time(), "hours"), completed=array(COUNT), failed=array(COUNT))
HEALTH: dict[str, Any] = {
    **{str(status): COUNT for status in Status},
    "cancelled": CANCELLED,
    "count": integer("completed and failed", minimum=0),
    "failures": COUNT,
    **_percentiles("p50_ms", "p95_ms", "wait_p95_ms"),
}
FUNCTION_STATS = component(
    "FunctionStats", "What waits and runs of it now, and its last 24 hours.", **HEALTH, sparkline=SPARKLINE
)
FUNCTIONS_STATS = component(
    "FunctionsStats",
    "The last 24 hours of every function of which there was something.",
    time=date_time(),
    times=array(date_time(), "the hours of all sparklines"),
    functions=map_of(
        component(
            "FunctionHealth", **HEALTH, sparkline=component("HealthLine", completed=array(COUNT), failed=array(COUNT))
        )
    ),
)
TROUBLE = component(
    "Trouble",
    "What is wrong, in words.",
    code=string(examples=["no_worker"]),
    severity=enum(("error", "warning", "info")),
    text=string(),
    since=nullable(date_time()),
    subject=nullable(component("TroubleSubject", kind=string(), name=string("empty where it tells of several"))),
    count=integer("of how many it tells", minimum=1),
)
COUNTS = component(
    "Counts",
    by_status=BY_STATUS,
    by_function=map_of(BY_STATUS, "the 100 functions of which there was most"),
    ended_within_s=integer("how far back the ended go"),
)
PER_MINUTE = component(
    "Throughput",
    per_minute=integer("in the last whole minute"),
    times=TIMES,
    completed=array(COUNT),
    failed=array(COUNT),
    cancelled=array(CANCELLED),
)
LATENCY = component("Latency", within_s=integer(), wait_ms=PERCENTILES, run_ms=PERCENTILES)
LATENCY_SERIES = component("LatencySeries", times=TIMES, wait_ms=PERCENTILE_SERIES, run_ms=PERCENTILE_SERIES)
FAILURES = component(
    "Failures", times=TIMES, by_function=map_of(array(COUNT), "the 20 functions that failed most, the worst first")
)
DEPTHS = component("QueueDepths", times=TIMES, by_queue=map_of(array(nullable(COUNT), "null where nobody looked")))
STATS: Component = component(
    "Stats",
    time=date_time(),
    counts=COUNTS,
    throughput=PER_MINUTE,
    latency=LATENCY,
    latency_series=LATENCY_SERIES,
    failures=FAILURES,
    queue_depth=map_of(COUNT),
    queue_depth_series=DEPTHS,
    queues=array(QUEUE),
    workers=component("WorkerCounts", alive=COUNT, busy=COUNT),
    problems=array(TROUBLE),
)

HIGHLIGHT = component(
    "Highlight",
    "A request without its event.",
    id=uuid(),
    function=string(),
    status=enum(Status),
    phase=nullable(enum(Phase)),
    progress=component("HighlightProgress", fraction=nullable(number()), message=nullable(string())),
    started_at=nullable(date_time()),
    finished_at=nullable(date_time()),
    error_type=nullable(string()),
    error_message=nullable(string("its beginning")),
)
HIGHLIGHTS = component(
    "Highlights",
    running=array(HIGHLIGHT, "what runs, longest first"),
    failed=array(HIGHLIGHT, "failures, latest first"),
)

ACTIONS = enum(("retry", "run", "cancel", "delete"))
BULK = closed(component("BulkAction", action=ACTIONS, ids=array(uuid(), minItems=1, maxItems=1000)))
BULK_OUTCOME = component(
    "BulkOutcome",
    id=uuid(),
    done=boolean(),
    detail=nullable(string("why not")),
)
BULK_OUTCOMES = component("BulkOutcomes", action=ACTIONS, done=COUNT, items=array(BULK_OUTCOME))
