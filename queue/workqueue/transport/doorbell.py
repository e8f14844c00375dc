"""Rings: puts an RQ job that carries one request id into a queue. It may be rung twice, late or never."""

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
from rq.utils import now

from workqueue import ids, log_fields
from workqueue.transport import redis_keys
from workqueue.transport.circuit_breaker import CircuitBreaker, describe_error
from workqueue.transport.redis_keys import ERA
from workqueue.transport.safe_job import SafeJob
from workqueue.transport.safe_queue import SafeQueue

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

ENTRY = "workqueue.workers.worker.answer"  # the only thing that a worker runs
CHANNEL = "localfn:changed"
PROBE, PROBE_TTL_S = "localfn:probe", 60
QUEUED_TTL_S = 7 * 24 * 3600  # a bell that was lost on its way is forgotten some day; none is needed for its request
RESULT_TTL_S = 600  # how long rq-dashboard shows a finished job
FAILURE_TTL_S = 24 * 3600  # and a failed one; the truth about both is in PostgreSQL


@dataclass(frozen=True, slots=True)
class Bell:
    """One ring: which request, its next attempt, in which queue."""

    request_id: UUID
    attempt: int
    queue: str
    function: str
    is_released: bool = False  # it was taken with others, and comes back unbegun

    @property
    def is_retry(self) -> bool:
        """Whether it has waited for its turn before."""
        return self.is_released or self.attempt > 1

    @property
    def job_id(self) -> str:
        return ids.job_id(self.request_id, self.attempt)


def bell_log_fields(bells: Iterable[Bell]) -> dict[str, object]:
    """Return the fields of a log line about these bells: their requests, with the attempts that they ring for."""
    return log_fields.for_requests([(bell.request_id, bell.attempt, bell.function) for bell in bells])


class Doorbell:
    """Rings workers, and tells those who wait that a request changed.

    paused: gives the queues in which nothing is rung; the reconciler rings what waits there once they are resumed.
    """

    def __init__(self, redis: Redis, paused: Callable[[], Container[str]] = frozenset) -> None:
        self.redis = redis
        self._paused = paused
        self._circuit_breaker = CircuitBreaker()

    def call(self, question: Callable[[], Answer]) -> Answer:
        """Asks this Redis anything; nobody waits for it while it gave no answer a moment ago. Raises RedisError."""
        return self._circuit_breaker.call(question)

    def ping(self) -> bool:
        """Return whether it answers and takes a write. Raises RedisError.

        A write, since a Redis that is full or a replica answers to PING all the same.
        """
        return bool(self.call(lambda: self.redis.set(PROBE, b"", ex=PROBE_TTL_S)))

    def ring(self, bells: Iterable[Bell]) -> bool:
        """Rings all, in one round trip. False when Redis is away: the reconciler will find them not rung."""
        paused = self._paused()
        try:
            with self.redis.pipeline(transaction=False) as pipeline:
                for name, together in _by_queue(bell for bell in bells if bell.queue not in paused).items():
                    self._put(pipeline, rq_queue(name, self.redis), together)
                self.call(pipeline.execute)
        except RedisError as error:
            log.warning("%s; the doorbell was not rung", describe_error(error), extra={"error": str(error)})
            return False
        return True

    def _put(self, pipeline: Pipeline, into: Queue, bells: Sequence[Bell]) -> None:
        """What `Queue.enqueue_call` does for one job: its hash, its queue among the queues, its id in the list."""
        like = _pattern(self.redis, into)
        for bell in bells:
            key = Job.key_for(bell.job_id)
            pipeline.hset(key, mapping=like | _own_fields(bell))
            pipeline.expire(key, QUEUED_TTL_S)
        pipeline.sadd(Queue.redis_queues_keys, into.key)
        # What comes back has waited for its turn once: it does not queue up again.
        if again := [bell.job_id for bell in bells if bell.is_retry]:
            pipeline.lpush(into.key, *reversed(again))
        if first := [bell.job_id for bell in bells if not bell.is_retry]:
            pipeline.rpush(into.key, *first)

    def announce(self, request_id: UUID) -> None:
        """Wakes those who wait for this request. They also look by themselves: a lost call costs a second."""
        self._publish(str(request_id))

    def announce_all(self, request_ids: Sequence[UUID]) -> None:
        """The same of many, in one message."""
        if request_ids:
            self._publish(" ".join(map(str, request_ids)))

    def _publish(self, names: str) -> None:
        try:
            self.call(lambda: self.redis.publish(CHANNEL, names))
        except RedisError as error:
            log.debug("nobody was told of a change", extra={"error": str(error)})

    def delete_jobs(self, job_ids: Sequence[str]) -> None:
        """Removes the jobs of requests that were deleted. What Redis does not answer to expires by itself."""
        try:
            self.call(lambda: self._delete(job_ids))
        except RedisError as error:
            log.debug("jobs were left to expire", extra={"error": str(error)})

    def _delete(self, job_ids: Sequence[str]) -> None:
        for job in SafeJob.fetch_many(job_ids, self.redis, JSONSerializer):
            if job is not None:
                job.delete()

    def generation(self) -> str:
        """Name the time since Redis may have lost what it held: emptied, or started anew. Raises RedisError."""
        with self.redis.pipeline(transaction=False) as pipeline:
            redis_keys.shared_value(pipeline, ERA, str(uuid4()))
            pipeline.info("server")
            since, server = self.call(pipeline.execute)
        return f"{server['run_id']} {since.decode()}"

    def repair(self, queues: Iterable[str]) -> None:
        """Delete what makes commands on the runtime's keys fail; the era then ends. Raises RedisError."""
        if self.call(lambda: redis_keys.repair(self.redis, queues)):
            self.reset_generation()

    def clear_queue(self, name: str) -> None:
        """Takes all bells out of a queue, of whatever waits there. Their jobs expire, or are rung again."""
        try:
            self.call(lambda: self.redis.delete(rq_queue(name, self.redis).key))
        except RedisError as error:
            log.debug("bells were left in a queue", extra={"error": str(error), "queue": name})

    def reset_generation(self) -> None:
        """Bells were lost on purpose, or not rung: the reconciler is to look for them now."""
        try:
            self.call(lambda: self.redis.delete(ERA))
        except RedisError as error:
            log.debug("the era did not end", extra={"error": str(error)})

    def queue_lengths(self, names: Sequence[str]) -> dict[str, int]:
        """How many bells wait in each of these queues. Raises RedisError."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(rq_queue(name, self.redis).key)
            return dict(zip(names, self.call(pipeline.execute), strict=True))

    def queued_job_ids(self, names: Sequence[str]) -> set[str]:
        """The job ids that wait in these queues. Raises RedisError."""
        return self.call(lambda: {job_id for name in names for job_id in rq_queue(name, self.redis).get_job_ids()})


def _by_queue(bells: Iterable[Bell]) -> dict[str, list[Bell]]:
    found: dict[str, list[Bell]] = {}
    for bell in bells:
        found.setdefault(bell.queue, []).append(bell)
    return found


def _pattern(redis: Redis, into: Queue) -> dict[str, Any]:
    """The hash of a job in this queue, as RQ makes it; what differs from bell to bell is put in by `_own_fields`.

    RQ takes a tenth of a millisecond for every job that it makes; a batch has ten thousand.
    """
    job = Job.create(
        ENTRY,
        description="",
        # RQ's own limit is an exception that user code could swallow; the sandbox has a real one.
        timeout=-1,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        ttl=QUEUED_TTL_S,
        origin=into.name,
        status=JobStatus.QUEUED,
        connection=redis,
        serializer=JSONSerializer,
    )
    job.created_at = job.enqueued_at = now()
    return {name: value for name, value in job.to_dict().items() if value != ""}


def _own_fields(bell: Bell) -> dict[str, Any]:
    # RQ reads it plain as well as compressed, and compressing a hundred bytes only takes time.
    data = json.dumps((ENTRY, None, (), {"request_id": str(bell.request_id)}))
    return {"data": data, "description": f"{bell.function} {bell.request_id}"}


def rq_queue(name: str, redis: Redis) -> Queue:
    return SafeQueue(name, connection=redis, serializer=JSONSerializer)
