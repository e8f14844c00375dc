"""The doorbell: puts an RQ job with one request id into a queue. A bell may be rung twice, late or never."""

import json
import logging
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from workqueue import ids, log_fields
from workqueue.transport import redis_key_repair
from workqueue.transport.circuit_breaker import CircuitBreaker, describe_error
from workqueue.transport.redis_key_repair import GENERATION_KEY
from workqueue.transport.safe_job import SafeJob
from workqueue.transport.safe_queue import SafeQueue

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

ENTRY = "workqueue.workers.worker.answer"  # the only call that a worker accepts
CHANNEL = "localfn:changed"
PROBE, PROBE_TTL_S = "localfn:probe", 60
QUEUED_TTL_S = 7 * 24 * 3600  # removes lost bells; a request does not depend on its bell
RESULT_TTL_S = 600  # how long rq-dashboard shows a finished job; PostgreSQL keeps the request
FAILURE_TTL_S = 24 * 3600  # the same for a failed one


@dataclass(frozen=True, slots=True)
class Bell:
    """One ring, for the next attempt of a request. is_released: a worker had prefetched it and did not start it."""

    request_id: UUID
    attempt: int
    queue: str
    function: str
    is_released: bool = False

    @property
    def is_retry(self) -> bool:
        """Return True if the request has waited in the queue before."""
        return self.is_released or self.attempt > 1

    @property
    def job_id(self) -> str:
        return ids.job_id(self.request_id, self.attempt)


def bell_log_fields(bells: Iterable[Bell]) -> dict[str, object]:
    """Return log fields for these bells: their requests, with the attempts that they ring for."""
    return log_fields.for_requests([(bell.request_id, bell.attempt, bell.function) for bell in bells])


class Doorbell:
    """Ring workers, and announce changes of requests to waiting clients.

    paused: returns the queues that are not rung; the reconciler rings for their requests once they are resumed.
    """

    def __init__(self, redis: Redis, paused: Callable[[], Container[str]] = frozenset) -> None:
        self.redis = redis
        self._paused = paused
        self._circuit_breaker = CircuitBreaker()
        self._templates: dict[str, dict[str, Any]] = {}  # by queue; RQ takes 0.1 ms to make a job

    def call(self, command: Callable[[], Answer]) -> Answer:
        """Send a command to Redis through the circuit breaker. Raises RedisError."""
        return self._circuit_breaker.call(command)

    def ping(self) -> bool:
        """Return True if Redis accepts a write. Raises RedisError.

        A full Redis and a replica answer PING, so this writes a key.
        """
        return bool(self.call(lambda: self.redis.set(PROBE, b"", ex=PROBE_TTL_S)))

    def ring(self, bells: Iterable[Bell]) -> bool:
        """Ring all bells in one round trip. Return False when Redis is unavailable: the reconciler rings them later."""
        paused = self._paused()
        try:
            with self.redis.pipeline(transaction=False) as pipeline:
                for name, group in _by_queue(bell for bell in bells if bell.queue not in paused).items():
                    self._enqueue(pipeline, name, group)
                self.call(pipeline.execute)
        except RedisError as error:
            log.warning("bells not rung", extra={"reason": describe_error(error), "error": str(error)})
            return False
        return True

    def _enqueue(self, pipeline: Pipeline, queue: str, bells: Sequence[Bell]) -> None:
        """Write what `Queue.enqueue_call` writes: the hash of each job, its id in the list, and the queue's name."""
        key_of_queue, template = f"{Queue.redis_queue_namespace_prefix}{queue}", self._job_template(queue)
        for bell in bells:
            key = Job.key_for(bell.job_id)
            pipeline.hset(key, mapping=template | _own_fields(bell))
            pipeline.expire(key, QUEUED_TTL_S)
        pipeline.sadd(Queue.redis_queues_keys, key_of_queue)
        # A returning request has waited in the queue once: it goes to the front.
        if returning := [bell.job_id for bell in bells if bell.is_retry]:
            pipeline.lpush(key_of_queue, *reversed(returning))
        if new := [bell.job_id for bell in bells if not bell.is_retry]:
            pipeline.rpush(key_of_queue, *new)

    def _job_template(self, queue: str) -> dict[str, Any]:
        """Return the hash of a job that is queued now, without the fields of `_own_fields`."""
        if queue not in self._templates:
            self._templates[queue] = _make_template(self.redis, queue)
        time_now = utcformat(now())
        return self._templates[queue] | {"created_at": time_now, "enqueued_at": time_now}

    def announce(self, request_id: UUID) -> None:
        """Wake the clients that wait for this request. They also poll: a lost announcement costs a second."""
        self._publish(str(request_id))

    def announce_all(self, request_ids: Sequence[UUID]) -> None:
        """Wake the clients that wait for any of these requests, with one message."""
        if request_ids:
            self._publish(" ".join(map(str, request_ids)))

    def _publish(self, request_ids: str) -> None:
        try:
            self.call(lambda: self.redis.publish(CHANNEL, request_ids))
        except RedisError as error:
            log.debug("change not announced", extra={"error": str(error)})

    def delete_jobs(self, job_ids: Sequence[str]) -> None:
        """Delete the jobs of deleted requests. During an outage of Redis they are left to expire."""
        try:
            self.call(lambda: self._delete(job_ids))
        except RedisError as error:
            log.debug("jobs left to expire", extra={"error": str(error)})

    def _delete(self, job_ids: Sequence[str]) -> None:
        for job in SafeJob.fetch_many(job_ids, self.redis, JSONSerializer):
            if job is not None:
                job.delete()
        if keys := list(map(SafeJob.key_for, job_ids)):
            self.redis.delete(*keys)  # of jobs that are not whole, too

    def generation(self) -> str:
        """Return an id that changes when Redis may have lost its data: emptied or restarted. Raises RedisError."""
        with self.redis.pipeline(transaction=False) as pipeline:
            redis_key_repair.shared_value(pipeline, GENERATION_KEY, str(uuid4()))
            pipeline.info("server")
            generation, server = self.call(pipeline.execute)
        return f"{server['run_id']} {generation.decode()}"

    def repair(self, queues: Iterable[str]) -> None:
        """Delete the runtime's keys of a wrong type; reset the generation if there were any. Raises RedisError."""
        if self.call(lambda: redis_key_repair.repair(self.redis, queues)):
            self.reset_generation()

    def clear_queue(self, name: str) -> None:
        """Remove all bells from a queue. Their jobs expire, or the reconciler rings them again."""
        try:
            self.call(lambda: self.redis.delete(rq_queue(name, self.redis).key))
        except RedisError as error:
            log.debug("queue not cleared", extra={"error": str(error), "queue": name})

    def reset_generation(self) -> None:
        """Make the reconciler search for lost bells now, after bells were removed or not rung."""
        try:
            self.call(lambda: self.redis.delete(GENERATION_KEY))
        except RedisError as error:
            log.debug("generation not reset", extra={"error": str(error)})

    def queue_lengths(self, names: Sequence[str]) -> dict[str, int]:
        """Return the number of bells in each of these queues. Raises RedisError."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(rq_queue(name, self.redis).key)
            return dict(zip(names, self.call(pipeline.execute), strict=True))

    def queued_job_ids(self, names: Sequence[str]) -> set[str]:
        """Return the job ids in these queues. Raises RedisError."""
        return self.call(lambda: {job_id for name in names for job_id in rq_queue(name, self.redis).get_job_ids()})


def _by_queue(bells: Iterable[Bell]) -> dict[str, list[Bell]]:
    found: dict[str, list[Bell]] = {}
    for bell in bells:
        found.setdefault(bell.queue, []).append(bell)
    return found


def _make_template(redis: Redis, queue: str) -> dict[str, Any]:
    """Return the hash of a job in this queue, as RQ makes it, without times and the fields of `_own_fields`.

    tests/integration/transport compares both.
    """
    job = Job.create(
        ENTRY,
        description="",
        # RQ's own limit raises an exception that user code could swallow; the sandbox has a timeout of its own.
        timeout=-1,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        ttl=QUEUED_TTL_S,
        origin=queue,
        status=JobStatus.QUEUED,
        connection=redis,
        serializer=JSONSerializer,
    )
    return {name: value for name, value in job.to_dict().items() if value != ""}


def _own_fields(bell: Bell) -> dict[str, Any]:
    """Return the fields of a job that differ between bells."""
    # RQ reads this field uncompressed, too; compressing 100 bytes only costs time.
    data = json.dumps((ENTRY, None, (), {"request_id": str(bell.request_id)}))
    return {"data": data, "description": f"{bell.function} {bell.request_id}"}


def rq_queue(name: str, redis: Redis) -> Queue:
    """Return RQ's queue of this name, for jobs that are bells."""
    return SafeQueue(name, connection=redis, serializer=JSONSerializer)
