"""Report the status of jobs to Redis, for rq-dashboard and waiting clients. No decision depends on it.

RQ's own worker makes some twenty round trips a job for this. Here jobs that end together are reported in one round
trip. Only a job that runs for longer is also reported as started.
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

STARTED_TTL_S = 2 * 3600  # RQ counts a job as running for this long: longer than the longest timeout


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """The facts of a claim that RQ's keys need. id: that of the RQ job that rang for it."""

    id: str
    request_id: UUID
    queue: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """The end of an attempt. error: the text that RQ shows for a failed request; None for every other end."""

    job: ClaimedJob
    error: str | None = None

    @property
    def has_failed(self) -> bool:
        return self.error is not None


class RqStatusReporter:
    """Write RQ's keys of the jobs of one worker. worker: its name."""

    def __init__(self, redis: Redis, worker: str) -> None:
        self._redis = redis
        self._worker = worker
        self._worker_key = f"{SimpleWorker.redis_worker_namespace_prefix}{worker}"
        self._cached_keys: dict[str, tuple[str, str]] = {}
        self._started: tuple[Job, Execution] | None = None

    def report_started(self, claimed: ClaimedJob) -> None:
        """Report the job of a long request as started, and its worker as busy."""
        job = self._job(claimed)
        try:
            with self._redis.pipeline() as pipeline:
                job.prepare_for_execution(self._worker, pipeline)
                pipeline.persist(job.key)
                execution = Execution.create(job, STARTED_TTL_S, pipeline, self._worker)
                pipeline.hset(self._worker_key, "state", WorkerStatus.BUSY)
                pipeline.execute()
        except RedisError as error:
            log.debug("job start not reported", extra={"error": str(error), "request_id": str(claimed.request_id)})
        else:
            self._started = job, execution

    def report_finished(self, finished: Sequence[FinishedJob], now: datetime) -> None:
        """Report how jobs ended, and wake the clients that wait for their requests."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                # First, because clients may be waiting.
                pipeline.publish(CHANNEL, " ".join(str(job_end.job.request_id) for job_end in finished))
                for job_end in finished:
                    self._set_status(pipeline, job_end, now)
                self._add_to_registries(pipeline, finished)
                self._count_jobs(pipeline, finished, now)
                pipeline.execute()
        except RedisError as error:
            log.debug("job ends not reported", extra={"error": str(error), "count": len(finished)})

    def _set_status(self, pipeline: Pipeline, job_end: FinishedJob, now: datetime) -> None:
        claimed, key = job_end.job, Job.key_for(job_end.job.id)
        ttl_s = FAILURE_TTL_S if job_end.has_failed else RESULT_TTL_S
        values: dict[Any, Any] = {
            "status": JobStatus.FAILED if job_end.has_failed else JobStatus.FINISHED,
            "origin": claimed.queue,
            "started_at": utcformat(claimed.claimed_at),
            "ended_at": utcformat(now),
            "worker_name": self._worker,
        }
        pipeline.hset(key, mapping=values)
        pipeline.expire(key, ttl_s)
        if job_end.error is not None:
            Result.create_failure(self._job(claimed), ttl_s, job_end.error, self._worker, pipeline)
        if self._started is not None and self._started[0].id == claimed.id:
            job, execution = self._started
            execution.delete(job, pipeline)
            pipeline.hset(self._worker_key, "state", WorkerStatus.IDLE)
            self._started = None

    def _add_to_registries(self, pipeline: Pipeline, finished: Sequence[FinishedJob]) -> None:
        """Add the jobs to RQ's registries of finished and failed jobs, each with the time of its expiry."""
        entries: dict[str, dict[Any, Any]] = {}
        for job_end in finished:
            expires_at = time.time() + (FAILURE_TTL_S if job_end.has_failed else RESULT_TTL_S)
            registry = self._registry_keys(job_end.job.queue)[job_end.has_failed]
            entries.setdefault(registry, {})[job_end.job.id] = expires_at
        for key, jobs in entries.items():
            pipeline.zadd(key, jobs)

    def _count_jobs(self, pipeline: Pipeline, finished: Sequence[FinishedJob], now: datetime) -> None:
        failed = sum(job_end.has_failed for job_end in finished)
        for name, count in (("failed_job_count", failed), ("successful_job_count", len(finished) - failed)):
            if count:
                pipeline.hincrby(self._worker_key, name, count)
        began = min(job_end.job.claimed_at for job_end in finished)
        pipeline.hincrbyfloat(self._worker_key, "total_working_time", (now - began).total_seconds())

    def _job(self, claimed: ClaimedJob) -> Job:
        job = Job(claimed.id, self._redis, JSONSerializer)
        job.origin = claimed.queue
        return job

    def _registry_keys(self, name: str) -> tuple[str, str]:
        """Return the keys of RQ's registries of finished and failed jobs."""
        if name not in self._cached_keys:
            registries = (kind(queue=rq_queue(name, self._redis)) for kind in (FinishedJobRegistry, FailedJobRegistry))
            finished, failed = (str(registry.key) for registry in registries)
            self._cached_keys[name] = finished, failed
        return self._cached_keys[name]
