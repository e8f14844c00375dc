"""Report the status of jobs to Redis, for rq-dashboard and waiting clients. No decision depends on it.

RQ's own worker makes some twenty round trips a job for this. Here jobs that end together are reported in one round
trip. Only a job that runs for longer is also reported as started.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
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
SEND_S = 5.0  # a Redis that does not answer within this time counts as unavailable
MAX_REPORTS = 10_000  # gathered while Redis does not answer


# Jobs that were claimed together share all fields. One command for each job would cost the worker a tenth of a request.
SET_STATUSES = f"""
for position = 7, #ARGV do
    local key = '{Job.redis_job_namespace_prefix}' .. ARGV[position]
    redis.call('hset', key, 'status', ARGV[2], 'origin', ARGV[3], 'started_at', ARGV[4], 'ended_at', ARGV[5],
        'worker_name', ARGV[6])
    redis.call('expire', key, ARGV[1])
end
"""


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
    """Write RQ's keys of the jobs of one worker. worker: its name.

    Reports gather while Redis has not answered to the last ones. During an outage they are dropped.
    """

    def __init__(self, redis: AsyncRedis, sync_redis: Redis, worker: str) -> None:
        """sync_redis: names the server to RQ's classes, which send nothing through it."""
        self._redis, self._sync_redis, self._worker = redis, sync_redis, worker
        self._worker_key = f"{SimpleWorker.redis_worker_namespace_prefix}{worker}"
        self._cached_keys: dict[str, tuple[str, str]] = {}
        self._started: dict[str, tuple[Job, Execution]] = {}
        self._reports: list[Callable[[Pipeline], None]] = []
        self._wakeup = asyncio.Event()

    def report_started(self, claimed: Sequence[ClaimedJob]) -> None:
        """Report the jobs of long requests as started, and their worker as busy."""
        self._add(lambda pipeline: self._write_started(pipeline, claimed))

    def report_finished(self, finished: Sequence[FinishedJob], now: datetime) -> None:
        """Report how jobs ended, and wake the clients that wait for their requests."""
        self._add(lambda pipeline: self._write_finished(pipeline, finished, now))

    def _add(self, report: Callable[[Pipeline], None]) -> None:
        if len(self._reports) < MAX_REPORTS:
            self._reports.append(report)
        self._wakeup.set()

    async def run(self) -> None:
        """Send reports until it is cancelled."""
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await self.flush()

    async def flush(self) -> None:
        """Send the reports that wait."""
        reports, self._reports = self._reports, []
        if not reports:
            return
        pipeline: Any = self._redis.pipeline(transaction=False)
        for report in reports:
            report(pipeline)
        try:
            async with asyncio.timeout(SEND_S):
                await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("status of jobs not reported", extra={"error": str(error), "count": len(reports)})

    def _write_started(self, pipeline: Pipeline, jobs: Sequence[ClaimedJob]) -> None:
        for claimed in jobs:
            job = self._job(claimed)
            job.prepare_for_execution(self._worker, pipeline)
            pipeline.persist(job.key)
            self._started[claimed.id] = job, Execution.create(job, STARTED_TTL_S, pipeline, self._worker)
        pipeline.hset(self._worker_key, "state", WorkerStatus.BUSY)

    def _write_finished(self, pipeline: Pipeline, finished: Sequence[FinishedJob], now: datetime) -> None:
        # First, because clients may be waiting.
        pipeline.publish(CHANNEL, " ".join(str(job_end.job.request_id) for job_end in finished))
        had_started = bool(self._started)
        self._set_statuses(pipeline, finished, now)
        self._add_to_registries(pipeline, finished)
        self._count_jobs(pipeline, finished, now)
        if had_started and not self._started:
            pipeline.hset(self._worker_key, "state", WorkerStatus.IDLE)

    def _set_statuses(self, pipeline: Pipeline, finished: Sequence[FinishedJob], now: datetime) -> None:
        """Write the hashes of jobs, and remove those that were reported as started from RQ's registry of these."""
        groups: dict[tuple[str, datetime, bool], list[str]] = {}
        for job_end in finished:
            claimed = job_end.job
            groups.setdefault((claimed.queue, claimed.claimed_at, job_end.has_failed), []).append(claimed.id)
            if job_end.error is not None:
                Result.create_failure(self._job(claimed), FAILURE_TTL_S, job_end.error, self._worker, pipeline)
            if (started := self._started.pop(claimed.id, None)) is not None:
                job, execution = started
                execution.delete(job, pipeline)
        for (queue, claimed_at, has_failed), ids in groups.items():
            status = JobStatus.FAILED if has_failed else JobStatus.FINISHED
            ttl_s = FAILURE_TTL_S if has_failed else RESULT_TTL_S
            shared = [status, queue, utcformat(claimed_at), utcformat(now), self._worker]
            pipeline.eval(SET_STATUSES, 0, ttl_s, *shared, *ids)

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
        job = Job(claimed.id, self._sync_redis, JSONSerializer)
        job.origin = claimed.queue
        return job

    def _registry_keys(self, name: str) -> tuple[str, str]:
        """Return the keys of RQ's registries of finished and failed jobs."""
        if name not in self._cached_keys:
            queue = rq_queue(name, self._sync_redis)
            self._cached_keys[name] = str(FinishedJobRegistry(queue=queue).key), str(FailedJobRegistry(queue=queue).key)
        return self._cached_keys[name]
