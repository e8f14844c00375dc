"""What rq-dashboard shows of jobs that were taken from a queue, and the news for clients that wait. Decides nothing.

RQ's own worker makes some twenty round trips a job for it. Here a job that ends within milliseconds is shown once,
when it has ended, together with all that ended with it, in one round trip; one that lasts is shown as started, too.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import utcformat
from rq.worker import WorkerStatus

from workqueue.transport.doorbell import CHANNEL, FAILURE_TTL_S, RESULT_TTL_S, rq_queue

log = logging.getLogger(__name__)

STARTED_TTL_S = 2 * 3600  # for how long RQ takes a job for running: longer than any function may run


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """Hold what RQ's keys need of a claim. id: that of the RQ job that rang for it."""

    id: str
    request_id: UUID
    queue: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """Hold how an attempt ended. error: the text that RQ shows for a failed request; None for every other one."""

    job: ClaimedJob
    error: str | None = None

    @property
    def has_failed(self) -> bool:
        return self.error is not None


class RqStatusReporter:
    """The part of RQ's keys that one worker writes. worker: its name."""

    def __init__(self, redis: Redis, worker: str) -> None:
        self._redis = redis
        self._worker = worker
        self._worker_key = f"{SimpleWorker.redis_worker_namespace_prefix}{worker}"
        self._book_keys: dict[str, tuple[str, str]] = {}
        self._started: tuple[Job, Execution] | None = None

    def report_started(self, claimed: ClaimedJob) -> None:
        """This request lasts: its job is shown as started, its worker as busy."""
        job = self._job(claimed)
        try:
            with self._redis.pipeline() as pipeline:
                job.prepare_for_execution(self._worker, pipeline)
                pipeline.persist(job.key)
                execution = Execution.create(job, STARTED_TTL_S, pipeline, self._worker)
                pipeline.hset(self._worker_key, "state", WorkerStatus.BUSY)
                pipeline.execute()
        except RedisError as error:
            log.debug("a start was not shown", extra={"error": str(error), "request_id": str(claimed.request_id)})
        else:
            self._started = job, execution

    def report_finished(self, ended: Sequence[FinishedJob], now: datetime) -> None:
        """Shows how jobs ended, and wakes the clients that wait for their requests."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                # First: somebody may be waiting for it.
                pipeline.publish(CHANNEL, " ".join(str(end.job.request_id) for end in ended))
                for end in ended:
                    self._show(pipeline, end, now)
                self._enter(pipeline, ended)
                self._count(pipeline, ended, now)
                pipeline.execute()
        except RedisError as error:
            log.debug("ends were not shown", extra={"error": str(error), "count": len(ended)})

    def _show(self, pipeline: Pipeline, end: FinishedJob, now: datetime) -> None:
        claimed, key = end.job, Job.key_for(end.job.id)
        ttl_s = FAILURE_TTL_S if end.has_failed else RESULT_TTL_S
        shown: dict[Any, Any] = {
            "status": JobStatus.FAILED if end.has_failed else JobStatus.FINISHED,
            "origin": claimed.queue,
            "started_at": utcformat(claimed.claimed_at),
            "ended_at": utcformat(now),
            "worker_name": self._worker,
        }
        pipeline.hset(key, mapping=shown)
        pipeline.expire(key, ttl_s)
        if end.error is not None:
            Result.create_failure(self._job(claimed), ttl_s, end.error, self._worker, pipeline)
        if self._started is not None and self._started[0].id == claimed.id:
            job, execution = self._started
            execution.delete(job, pipeline)
            pipeline.hset(self._worker_key, "state", WorkerStatus.IDLE)
            self._started = None

    def _enter(self, pipeline: Pipeline, ended: Sequence[FinishedJob]) -> None:
        """RQ's books of finished and failed jobs: each with the time until when it is kept."""
        entries: dict[str, dict[Any, Any]] = {}
        for end in ended:
            kept_until = time.time() + (FAILURE_TTL_S if end.has_failed else RESULT_TTL_S)
            entries.setdefault(self._registry_keys(end.job.queue)[end.has_failed], {})[end.job.id] = kept_until
        for key, jobs in entries.items():
            pipeline.zadd(key, jobs)

    def _count(self, pipeline: Pipeline, ended: Sequence[FinishedJob], now: datetime) -> None:
        failed = sum(end.has_failed for end in ended)
        for name, count in (("failed_job_count", failed), ("successful_job_count", len(ended) - failed)):
            if count:
                pipeline.hincrby(self._worker_key, name, count)
        began = min(end.job.claimed_at for end in ended)
        pipeline.hincrbyfloat(self._worker_key, "total_working_time", (now - began).total_seconds())

    def _job(self, claimed: ClaimedJob) -> Job:
        job = Job(claimed.id, self._redis, JSONSerializer)
        job.origin = claimed.queue
        return job

    def _registry_keys(self, name: str) -> tuple[str, str]:
        """The keys of RQ's registries of finished and failed jobs."""
        if name not in self._book_keys:
            registries = (kind(queue=rq_queue(name, self._redis)) for kind in (FinishedJobRegistry, FailedJobRegistry))
            finished, failed = (str(registry.key) for registry in registries)
            self._book_keys[name] = finished, failed
        return self._book_keys[name]
