"""A mirror of the schedules in rq-scheduler's keys, which report the due ones.

The mirror is a copy of the rows in PostgreSQL; a scheduler that finds it missing or wrong writes it again. Of
rq-scheduler's `Scheduler` the mirror uses the keys, the registration and the search for due jobs. It does not use the
run loop, which loses a job in a crash between two commands, and pushes jobs to a queue, where they wait for a worker.
"""

import logging
import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from redis import Redis
from rq.job import Job, JobStatus
from rq_scheduler import Scheduler

from workqueue.clock import Clock
from workqueue.transport.safe_job import SafeJob

PREFIX = "schedule-"
ENTRY = "workqueue.schedules.firing.fire"  # shown by rq-dashboard; no worker runs it
CHUNK = 500
SCHEDULE_ID = re.compile(rb"schedule-[A-Za-z0-9_-]{1,64}")
INTERVAL_S = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NextRun:
    """The next tick of a schedule. next_run_at: None when no tick follows."""

    name: str
    expression: str
    next_run_at: datetime | None


class RqSchedulerMirror(Scheduler):  # type: ignore[misc]  # it ships no types
    """Read and write rq-scheduler's keys. Every method raises RedisError when Redis is unavailable."""

    job_class = SafeJob  # JSON in every case: rq-scheduler passes no serializer on

    def __init__(self, redis: Redis, clock: Clock) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        super().__init__(connection=redis, interval=INTERVAL_S, name=name)
        self.clock = clock

    def get_jobs_to_queue(self, with_times: bool = False) -> Iterable[Job]:
        """Return the due jobs by the runtime's clock; rq-scheduler's own method uses the machine's clock."""
        found: Iterable[Job] = self.get_jobs(self.clock.now().timestamp(), with_times)
        return found

    def due(self) -> list[str]:
        """Return the names of the schedules that are due according to the mirror."""
        try:
            return [job.id.removeprefix(PREFIX) for job in self.get_jobs_to_queue() if job.id.startswith(PREFIX)]
        except (ValueError, TypeError) as error:  # a malformed id: the ticker then finds due rows by itself
            log.error("foreign entries removed from the mirror", extra={"error": str(error)})
            self._remove_foreign_entries()
            return []

    def _remove_foreign_entries(self) -> None:
        members = self.connection.zrange(self.scheduled_jobs_key, 0, -1)
        if foreign := [member for member in members if not SCHEDULE_ID.fullmatch(member)]:
            self.connection.zrem(self.scheduled_jobs_key, *foreign)

    def refresh_heartbeat(self) -> bool:
        """Send a heartbeat; register first if Redis has lost the registration. Return True."""
        if not self.connection.exists(self.key):
            self.register_birth()
        self.heartbeat()
        return True

    def read(self) -> dict[str, float]:
        """Return all schedules in the mirror, with their next run in seconds since the epoch."""
        entries = self.connection.zrange(self.scheduled_jobs_key, 0, -1, withscores=True)
        return {key.decode().removeprefix(PREFIX): score for key, score in entries if SCHEDULE_ID.fullmatch(key)}

    def write(self, next_runs: Sequence[NextRun]) -> None:
        """Write these schedules to the mirror; remove those without a next run."""
        for start in range(0, len(next_runs), CHUNK):
            with self.connection.pipeline(transaction=False) as pipeline:
                for next_run in next_runs[start : start + CHUNK]:
                    self._write_one(next_run, pipeline)
                pipeline.execute()

    def _write_one(self, next_run: NextRun, pipeline: Any) -> None:
        job = self._job(next_run)
        if next_run.next_run_at is None:
            pipeline.zrem(self.scheduled_jobs_key, job.id)
            pipeline.delete(job.key)
        else:
            job.save(pipeline=pipeline)
            pipeline.zadd(self.scheduled_jobs_key, {job.id: next_run.next_run_at.timestamp()})

    def _job(self, next_run: NextRun) -> Job:
        return SafeJob.create(
            ENTRY,
            kwargs={"schedule": next_run.name},
            connection=self.connection,
            id=PREFIX + next_run.name,
            description=f"{next_run.name}: {next_run.expression}",
            origin="default",
            status=JobStatus.SCHEDULED,
        )


def diff(next_runs: Iterable[NextRun], mirrored: dict[str, float]) -> list[NextRun]:
    """Return the schedules to write so that the mirror equals the rows. Pure."""
    wanted = {next_run.name: next_run for next_run in next_runs}
    wrong = [next_run for next_run in wanted.values() if mirrored.get(next_run.name) != _score(next_run.next_run_at)]
    return wrong + [NextRun(name, "", None) for name in mirrored if name not in wanted]


def _score(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
