"""RQ's registries, queues and workers as the runtime reads them: with jobs that are bells.

Names and entries of other programs are skipped, so that they break no page, worker or scheduler.
"""

import math
import re
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError
from rq import Queue, Worker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.registry import BaseRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import current_timestamp

from workqueue.transport.safe_job import KINDS, QUEUE_NAME, SafeJob, ids, text

WORKER_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


class SafeRegistry(BaseRegistry):
    """A registry of bells; malformed entries are skipped."""

    job_class = SafeJob

    def __init__(self, name: str = "default", connection: Redis | None = None, **more: Any) -> None:
        super().__init__(name, connection, **{**more, "job_class": SafeJob, "serializer": JSONSerializer})

    def get_job_ids(self, start: int = 0, end: int = -1, desc: bool = False, cleanup: bool = True) -> list[str]:
        """Return the job ids from `start` to `end`, without malformed entries."""
        if cleanup:
            self.cleanup()
        entries: Any = self.connection.zrange(self.key, start, end, desc=desc)
        return ids(entries)

    def get_expired_job_ids(self, timestamp: float | None = None) -> list[str]:
        """Return the job ids that expired before `timestamp`, without malformed entries."""
        score = current_timestamp() if timestamp is None else timestamp
        entries: Any = self.connection.zrangebyscore(self.key, 0, score)
        return ids(entries)

    def get_queue(self) -> Queue:
        """Return the queue of this registry."""
        return SafeQueue(self.name, self.connection)

    def remove(self, job: Job | str, pipeline: Pipeline | None = None, delete_job: bool = False) -> Any:
        """Remove the entry of a job; in the registry of started jobs, the entries of its executions."""
        job_id = job if isinstance(job, str) else job.id
        entries: Any = self.connection.zrange(self.key, 0, -1) if isinstance(self, StartedJobRegistry) else []
        executions = [entry for entry in entries if text(entry).startswith(f"{job_id}:")]
        if delete_job and isinstance(job, Job):
            job.delete()
        return (self.connection if pipeline is None else pipeline).zrem(self.key, job_id, *executions)


REGISTRIES: dict[str, type[SafeRegistry]] = {
    name: type(f"Bell{name}", (SafeRegistry, kind), {}) for name, kind in KINDS.items()
}


class SafeQueue(Queue):
    """A queue of bells; malformed names and ids are skipped."""

    job_class = SafeJob

    def __init__(self, name: str = "default", connection: Redis | None = None, **more: Any) -> None:
        super().__init__(name, connection, **{**more, "job_class": SafeJob, "serializer": JSONSerializer})

    @classmethod
    def all(cls, connection: Redis, **_: Any) -> list[Queue]:  # type: ignore[override]
        """Return the queues with a valid name."""
        prefix = cls.redis_queue_namespace_prefix
        keys = (text(key) for key in connection.smembers(cls.redis_queues_keys))
        names = sorted(key.removeprefix(prefix) for key in keys if key.startswith(prefix))
        return [cls(name, connection) for name in names if QUEUE_NAME.fullmatch(name)]

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Return `length` job ids from `offset` on, without malformed entries."""
        end = offset + length - 1 if length >= 0 else length
        return [] if length == 0 else ids(self.connection.lrange(self.key, offset, end))

    def compact(self) -> None:
        """Remove the ids of deleted jobs. RQ's own method loses all ids when it is interrupted."""
        for job_id in self.get_job_ids():
            if not SafeJob.exists(job_id, self.connection):
                self.connection.lrem(self.key, 0, job_id)

    @property
    def failed_job_registry(self) -> Any:
        """Return the registry of failed jobs."""
        return REGISTRIES["FailedJobRegistry"](self.name, self.connection)


class SafeWorker(Worker):
    """A worker as rq-dashboard reads it; unreadable entries are skipped."""

    job_class = SafeJob
    queue_class: type[Queue] = SafeQueue

    @classmethod
    def all(cls, connection: Redis, **_: Any) -> list[Worker]:  # type: ignore[override]
        """Return the workers with a readable entry."""
        prefix = cls.redis_worker_namespace_prefix
        keys = (text(key) for key in connection.smembers(cls.redis_workers_keys))
        named = [key for key in keys if key.startswith(prefix) and WORKER_NAME.fullmatch(key.removeprefix(prefix))]
        return [worker for key in sorted(named) if (worker := cls._read(key, connection)) is not None]

    @classmethod
    def _read(cls, key: str, connection: Redis) -> "Worker | None":
        try:
            worker: Any = cls.find_by_key(key, connection, SafeJob, SafeQueue, JSONSerializer)
            if worker is None or not math.isfinite(worker.total_working_time):
                return None
            worker.queues = [each for each in worker.queues if QUEUE_NAME.fullmatch(each.name)]
        except (ResponseError, ValueError, TypeError, OverflowError):
            return None
        found: Worker = worker
        return found

    def get_current_job(self) -> Job | None:
        """Return the job that the worker runs; None if unreadable."""
        try:
            return super().get_current_job()
        except (NoSuchJobError, ResponseError, ValueError, TypeError, KeyError, OverflowError, OSError):
            return None


def requeue(job_id: str, connection: Redis, **_: Any) -> Job:
    """Put a failed job back into its queue. Raises NoSuchJobError, InvalidJobOperation."""
    job = SafeJob.fetch(job_id, connection)
    if not QUEUE_NAME.fullmatch(job.origin):
        raise NoSuchJobError("The job has no valid queue name.")
    return REGISTRIES["FailedJobRegistry"](job.origin, connection).requeue(job)


def requeue_all(queue_name: str, connection: Redis) -> tuple[int, int]:
    """Put the failed jobs back into their queues. Return how many were moved, and how many could not be."""
    moved = skipped = 0
    for job_id in SafeQueue(queue_name, connection).failed_job_registry.get_job_ids(cleanup=False):
        try:
            requeue(job_id, connection)
            moved += 1
        except (NoSuchJobError, InvalidJobOperation, ResponseError):
            skipped += 1
    return moved, skipped
