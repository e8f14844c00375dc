"""An RQ worker as RQ and rq-dashboard see it: its registration, heartbeats and upkeep of the registries.

RQ's own loop makes some twenty round trips to Redis a job, and runs one job at a time. An event loop replaces it
(engine.py), which calls these methods in a thread, since they wait for Redis.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.utils import now, utcformat
from rq.worker import WorkerStatus

from workqueue.errors import WorkqueueError
from workqueue.transport import redis_key_repair
from workqueue.transport.circuit_breaker import describe_error, write_refusal
from workqueue.transport.doorbell import rq_queue
from workqueue.transport.safe_job import SafeJob

log = logging.getLogger(__name__)

# RQ shows a worker as dead after worker_ttl + 60 s without a heartbeat. The default of 420 s would show a killed worker
# for eight minutes.
WORKER_TTL_S = 30


def answer(request_id: str) -> NoReturn:
    """Raise WorkqueueError. RQ's jobs name this function, but workers read the request id from the job's id."""
    raise WorkqueueError(f"RQ cannot run request {request_id}: start a worker of localfn instead.")


class Worker(SimpleWorker):
    """An RQ worker whose jobs an event loop runs. run_engine: runs it, until the worker has stopped."""

    def __init__(self, name: str, queues: Sequence[str], redis: Redis, run_engine: Callable[["Worker"], None]) -> None:
        super().__init__(
            [rq_queue(queue, redis) for queue in queues],
            name=name,
            connection=redis,
            job_class=SafeJob,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_S,
        )
        self._run_engine = run_engine

    def work(self, *_: Any, **__: Any) -> bool:
        """Run the engine in place of RQ's loop."""
        self._run_engine(self)
        return True

    def _set_ip_address(self, connection: Redis) -> None:
        """Set the address as RQ does. RQ fails if the path of the Unix socket contains a space or `=`."""
        try:
            super()._set_ip_address(connection)
        except ValueError:
            self.ip_address = "unknown"

    def is_suspended(self) -> bool:
        """Return whether `rq suspend` stops the workers. Raises RedisError."""
        return bool(is_suspended(self.connection))

    def send_heartbeat(self) -> None:
        """Send a heartbeat to RQ; register again if Redis was emptied; clean the registries if that is due.

        A Redis that rejects writes still returns bells. Taking them is the only way to free a full one.
        Raises RedisError.
        """
        try:
            self._register_or_beat()
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
        except RedisError as error:
            if not write_refusal(error):
                raise
            log.warning("heartbeat rejected", extra={"reason": describe_error(error), "error": str(error)})

    def _register_or_beat(self) -> None:
        if self.connection.type(self.key) == b"hash" and self.connection.hexists(self.key, "birth"):
            self.heartbeat(WORKER_TTL_S + 60)
        else:
            self.connection.delete(self.key)
            # Reports about jobs may write into the hash at any moment, and RQ registers no worker that seems to live.
            self.connection.hset(self.key, "death", utcformat(now()))
            self.register_birth()  # type: ignore[no-untyped-call]
            self.set_state(WorkerStatus.IDLE)

    def run_maintenance_tasks(self) -> None:
        """Remove expired entries from the registries, with classes that skip entries of other programs."""
        for each in self.queues:
            if each.acquire_maintenance_lock():
                try:
                    redis_key_repair.clean_registries(each)
                finally:
                    each.release_maintenance_lock()  # type: ignore[no-untyped-call]
        self.last_cleaned_at: Any = now()

    def deregister(self) -> None:
        """Remove the worker from RQ's list."""
        try:
            self.register_death()  # type: ignore[no-untyped-call]
        except RedisError as error:
            log.debug("worker not deregistered", extra={"error": str(error)})
