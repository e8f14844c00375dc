"""Reject jobs that another program queued: show them as failed, and do not run them.

The fields of such a job are not trusted, either: those that RQ would act on are removed.
"""

import logging
import time
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry
from rq.results import Result
from rq.utils import as_text, now, utcformat

from workqueue.transport.doorbell import FAILURE_TTL_S, rq_queue
from workqueue.transport.safe_job import JOB_ID, MAX_DATA, QUEUE_NAME, UNREADABLE, SafeJob

log = logging.getLogger(__name__)

REJECTED = "This job was not queued by localfn, and was not run. Submit a request instead."
MAX_SHOWN = 80  # characters of an id in the log
# Fields by which RQ runs callbacks, retries the job, or enqueues others.
ACTIVE_FIELDS = (
    "success_callback_name",
    "failure_callback_name",
    "stopped_callback_name",
    "webhooks",
    "retries_left",
    "retry_intervals",
    "repeats_left",
    "repeat_intervals",
    "result",
    "meta",
)
SHORT_FIELDS = ("origin", "description", "status", "created_at", "enqueued_at", "started_at", "timeout", "worker_name")


def reject(redis: Redis, job_id: str, worker: str) -> None:
    """Mark a foreign job as failed, if RQ can read it. worker: the rejecting worker. Raises RedisError."""
    log.error("foreign job rejected", extra={"job_id": ascii(job_id[:MAX_SHOWN])})
    if not JOB_ID.fullmatch(job_id):
        return  # RQ cannot show a job with such an id
    key = Job.key_for(job_id)
    try:
        if not redis.exists(key):
            return
        _disarm(redis, job_id, key)
        _mark_failed(redis, job_id, key, worker)
    except ResponseError as error:  # the key is no hash
        log.warning("rejected job not marked as failed", extra={"job_id": job_id, "error": str(error)})


def _disarm(redis: Redis, job_id: str, key: str) -> None:
    """Remove the fields that RQ would act on, and those that are too long to show."""
    with redis.pipeline(transaction=False) as pipeline:
        for name in ("data", *SHORT_FIELDS):
            pipeline.hstrlen(key, name)
        data_size, *sizes = pipeline.execute()
    too_long = [name for name, size in zip(SHORT_FIELDS, sizes, strict=True) if size > MAX_DATA]
    redis.hdel(key, *ACTIVE_FIELDS, *too_long)
    if not 0 < data_size <= MAX_DATA:
        redis.hset(key, "data", UNREADABLE)
    try:
        SafeJob.fetch(job_id, redis)
    except NoSuchJobError:  # RQ cannot show it: replace it
        redis.delete(key)
        redis.hset(key, mapping={"data": UNREADABLE, "description": "unreadable", "created_at": utcformat(now())})


def _mark_failed(redis: Redis, job_id: str, key: str, worker: str) -> None:
    origin = as_text(redis.hget(key, "origin") or b"default")  # _disarm has read it, so it is UTF-8
    name = origin if QUEUE_NAME.fullmatch(origin) else "default"
    registry = FailedJobRegistry(queue=rq_queue(name, redis))
    shown: dict[Any, Any] = {"status": JobStatus.FAILED, "origin": name, "ended_at": utcformat(now())}
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hset(key, mapping=shown)
        pipeline.expire(key, FAILURE_TTL_S)
        pipeline.zadd(registry.key, {job_id: time.time() + FAILURE_TTL_S})
        Result.create_failure(SafeJob(job_id, redis), FAILURE_TTL_S, REJECTED, worker, pipeline)
        pipeline.execute()
