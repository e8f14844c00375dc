"""Rings: puts an RQ job that carries one request id into a queue. It may be rung twice, late or never."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now

log = logging.getLogger(__name__)

ENTRY = "workqueue.worker.answer"  # the only thing that a worker runs
CHANNEL = "localfn:changed"
ERA = "localfn:era"
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
    is_let_go: bool = False  # it was taken with others, and comes back unbegun

    @property
    def again(self) -> bool:
        """Whether it has waited for its turn before."""
        return self.is_let_go or self.attempt > 1

    @property
    def job_id(self) -> str:
        return f"{self.request_id}-{self.attempt}"


class Doorbell:
    """Rings workers, and tells those who wait that a request changed."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def ring(self, bells: Iterable[Bell]) -> bool:
        """Rings all, in one round trip. False when Redis is away: the reconciler will find them not rung."""
        try:
            with self.redis.pipeline(transaction=False) as pipeline:
                for name, together in _by_queue(bells).items():
                    self._put(pipeline, queue(name, self.redis), together)
                pipeline.execute()
        except RedisError as error:
            log.warning("Redis is away: the doorbell was not rung", extra={"error": str(error)})
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
        if again := [bell.job_id for bell in bells if bell.again]:
            pipeline.lpush(into.key, *reversed(again))
        if first := [bell.job_id for bell in bells if not bell.again]:
            pipeline.rpush(into.key, *first)

    def announce(self, request_id: UUID) -> None:
        """Wakes those who wait for this request. They also look by themselves: a lost call costs a second."""
        try:
            self.redis.publish(CHANNEL, str(request_id))
        except RedisError as error:
            log.debug("nobody was told of a change", extra={"error": str(error), "request_id": str(request_id)})

    def forget(self, job_ids: Sequence[str]) -> None:
        """Removes the jobs of requests that were deleted. What Redis does not answer to expires by itself."""
        try:
            for job in Job.fetch_many(job_ids, self.redis, JSONSerializer):
                if job is not None:
                    job.delete()
        except RedisError as error:
            log.debug("jobs were left to expire", extra={"error": str(error)})

    def era(self) -> str:
        """Names the time since Redis may have lost what it held: emptied, or started anew. Raises RedisError."""
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.set(ERA, str(uuid4()), nx=True)
            pipeline.get(ERA)
            pipeline.info("server")
            _, since, server = pipeline.execute()
        return f"{server['run_id']} {since.decode()}"

    def waiting(self, names: Sequence[str]) -> set[str]:
        """The job ids that wait in these queues. Raises RedisError."""
        return {job_id for name in names for job_id in queue(name, self.redis).get_job_ids()}


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


def queue(name: str, redis: Redis) -> Queue:
    return Queue(name, connection=redis, serializer=JSONSerializer)
