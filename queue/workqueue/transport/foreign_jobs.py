"""A job that is not ours: it is not run, and shown as failed. What it says is not trusted for that, either."""

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

REFUSED = "This is no job of localfn: it was not run."
MAX_SHOWN = 80  # characters of an id in the log
# By these RQ calls something, tries again, or rings others.
ARMED = (
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
SHORT = ("origin", "description", "status", "created_at", "enqueued_at", "started_at", "timeout", "worker_name")


def reject(redis: Redis, job_id: str, worker: str) -> None:
    """worker: by whom. Raises RedisError."""
    log.error("a job that is not ours was refused", extra={"job_id": ascii(job_id[:MAX_SHOWN])})
    if not JOB_ID.fullmatch(job_id):
        return  # RQ could not show it
    key = Job.key_for(job_id)
    try:
        if not redis.exists(key):
            return
        _disarm(redis, job_id, key)
        _show(redis, job_id, key, worker)
    except ResponseError as error:  # the key is no hash
        log.warning("a refused job cannot be shown", extra={"job_id": job_id, "error": str(error)})


def _disarm(redis: Redis, job_id: str, key: str) -> None:
    """Takes out what RQ would act on, and what is too long for anybody to read."""
    with redis.pipeline(transaction=False) as pipeline:
        for name in ("data", *SHORT):
            pipeline.hstrlen(key, name)
        data_size, *sizes = pipeline.execute()
    too_long = [name for name, size in zip(SHORT, sizes, strict=True) if size > MAX_DATA]
    redis.hdel(key, *ARMED, *too_long)
    if not 0 < data_size <= MAX_DATA:
        redis.hset(key, "data", UNREADABLE)
    try:
        SafeJob.fetch(job_id, redis)
    except NoSuchJobError:  # nobody could look at it
        redis.delete(key)
        redis.hset(key, mapping={"data": UNREADABLE, "description": "unreadable", "created_at": utcformat(now())})


def _show(redis: Redis, job_id: str, key: str, worker: str) -> None:
    origin = as_text(redis.hget(key, "origin") or b"default")  # it was read as a job, so it is text
    name = origin if QUEUE_NAME.fullmatch(origin) else "default"
    registry = FailedJobRegistry(queue=rq_queue(name, redis))
    shown: dict[Any, Any] = {"status": JobStatus.FAILED, "origin": name, "ended_at": utcformat(now())}
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hset(key, mapping=shown)
        pipeline.expire(key, FAILURE_TTL_S)
        pipeline.zadd(registry.key, {job_id: time.time() + FAILURE_TTL_S})
        Result.create_failure(SafeJob(job_id, redis), FAILURE_TTL_S, REFUSED, worker, pipeline)
        pipeline.execute()
