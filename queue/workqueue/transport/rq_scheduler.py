"""rq-scheduler as the clock of our schedules: its keys in Redis show them, and tell which are due.

Only a copy: it is made from the rows, and a scheduler that finds it gone or wrong makes it anew. Of rq-scheduler's
`Scheduler` we keep the keys, the registration and the search for what is due. Its own run loop would lose a job in a
crash between two commands, and pushes jobs to a queue, where they wait for a worker.
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
ENTRY = "workqueue.schedules.firing.fire"  # what is shown; no worker runs it
CHUNK = 500
OUR_ID = re.compile(rb"schedule-[A-Za-z0-9_-]{1,64}")
INTERVAL_S = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NextRun:
    """Hold the next tick of a schedule. next_run_at: None when no tick follows."""

    name: str
    expression: str
    next_run_at: datetime | None


class RqSchedulerMirror(Scheduler):  # type: ignore[misc]  # it ships no types
    """Everything here raises RedisError when Redis is away."""

    job_class = SafeJob  # its data is JSON, whoever makes it: rq-scheduler passes no serializer on

    def __init__(self, redis: Redis, clock: Clock) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        super().__init__(connection=redis, interval=INTERVAL_S, name=name)
        self.clock = clock

    def get_jobs_to_queue(self, with_times: bool = False) -> Iterable[Job]:
        """rq-scheduler asks this machine's clock, which somebody may set."""
        found: Iterable[Job] = self.get_jobs(self.clock.now().timestamp(), with_times)
        return found

    def due(self) -> list[str]:
        """The names of the schedules that the copy holds for due."""
        try:
            return [job.id.removeprefix(PREFIX) for job in self.get_jobs_to_queue() if job.id.startswith(PREFIX)]
        except (ValueError, TypeError) as error:  # no id at all: then every row speaks for itself
            log.error("what is no schedule was removed from the clock", extra={"error": str(error)})
            self._remove_strangers()
            return []

    def _remove_strangers(self) -> None:
        members = self.connection.zrange(self.scheduled_jobs_key, 0, -1)
        if strangers := [member for member in members if not OUR_ID.fullmatch(member)]:
            self.connection.zrem(self.scheduled_jobs_key, *strangers)

    def refresh_heartbeat(self) -> bool:
        """Shows that this scheduler lives; anew, when Redis has forgotten it. True when it is shown."""
        if not self.connection.exists(self.key):
            self.register_birth()
        self.heartbeat()
        return True

    def read(self) -> dict[str, float]:
        """Names and times, seconds since the epoch, of all schedules that the copy holds."""
        entries = self.connection.zrange(self.scheduled_jobs_key, 0, -1, withscores=True)
        return {key.decode().removeprefix(PREFIX): score for key, score in entries if OUR_ID.fullmatch(key)}

    def write(self, waits: Sequence[NextRun]) -> None:
        """Makes the copy of these schedules what their rows say."""
        for place in range(0, len(waits), CHUNK):
            with self.connection.pipeline(transaction=False) as pipeline:
                for wait in waits[place : place + CHUNK]:
                    self._show_one(wait, pipeline)
                pipeline.execute()

    def _show_one(self, wait: NextRun, pipeline: Any) -> None:
        job = self._job(wait)
        if wait.next_run_at is None:
            pipeline.zrem(self.scheduled_jobs_key, job.id)
            pipeline.delete(job.key)
        else:
            job.save(pipeline=pipeline)
            pipeline.zadd(self.scheduled_jobs_key, {job.id: wait.next_run_at.timestamp()})

    def _job(self, wait: NextRun) -> Job:
        return SafeJob.create(
            ENTRY,
            kwargs={"schedule": wait.name},
            connection=self.connection,
            id=PREFIX + wait.name,
            description=f"{wait.name}: {wait.expression}",
            origin="default",
            status=JobStatus.SCHEDULED,
        )


def diff(waits: Iterable[NextRun], shown: dict[str, float]) -> list[NextRun]:
    """What has to be shown, or shown no longer, so that the copy is what the rows say. Pure."""
    wanted = {wait.name: wait for wait in waits}
    wrong = [wait for wait in wanted.values() if shown.get(wait.name) != _score(wait.next_run_at)]
    return wrong + [NextRun(name, "", None) for name in shown if name not in wanted]


def _score(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
