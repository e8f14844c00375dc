"""Queues, workers and sandboxes."""

from datetime import datetime
from typing import Any

from handlers.openapi.component import component, subset
from handlers.openapi.json_schema import (
    array,
    boolean,
    date_time,
    enum,
    integer,
    item_list,
    nullable,
    number,
    string,
    uuid,
)
from schema.statuses import Phase
from workqueue.heartbeats.worker_heartbeats import WorkerInfo
from workqueue.stats.queue_depth import Queue

QUEUE = component(
    "Queue",
    name=string(),
    depth=integer("requests that are due"),
    scheduled=integer("requests that are available later"),
    oldest_age_s=nullable(number("seconds that the oldest due request has waited")),
    paused=boolean(),
    paused_at=nullable(date_time()),
    workers=integer("workers that serve the queue"),
)
QUEUES = item_list("Queues", QUEUE)
CHANGED_QUEUE = subset(
    "ChangedQueue",
    "A queue, for a client that may change it and not read it.",
    QUEUE,
    ("name", "paused", "paused_at"),
)
EMPTIED_QUEUE = component(
    "EmptiedQueue",
    name=string(),
    cancelled=integer("requests that were cancelled"),
    complete=boolean("false if pending requests are left because the call took too long; send it again"),
)
WORKER = component(
    "Worker",
    name=string(),
    host=string(),
    pid=integer(),
    queues=array(string()),
    state=string("unresponsive: no heartbeat for 12 s", examples=["busy", "idle", "unresponsive"]),
    started_at=date_time(),
    seen_at=date_time("its latest heartbeat"),
    request_id=nullable(uuid("the request that it runs")),
    function=nullable(string()),
    phase=nullable(enum(Phase)),
    since=nullable(date_time("the start of that request")),
    held=integer("requests that it has claimed and not ended yet"),
)
WORKERS = item_list("Workers", WORKER)
SANDBOX = component(
    "Sandbox",
    id=string(),
    host=string(),
    pid=integer(),
    function=nullable(string()),
    state=string(examples=["busy", "idle"]),
    worker=nullable(string("the worker that has acquired it")),
    memory_mb=nullable(number("resident memory, child processes included")),
    age_s=number(),
)
SANDBOXES = item_list("Sandboxes", SANDBOX)


def serialize_queue(queue: Queue, now: datetime) -> dict[str, Any]:
    oldest = queue.depth.oldest
    return QUEUE.serialize(
        queue,
        depth=queue.depth.due,
        scheduled=queue.depth.later,
        oldest_age_s=round(max((now - oldest).total_seconds(), 0.0), 1) if oldest else None,
        paused=queue.paused_at is not None,
    )


def serialize_worker(worker: WorkerInfo) -> dict[str, Any]:
    return WORKER.serialize(worker, host=worker.hostname)
