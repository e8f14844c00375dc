"""Rings: puts an RQ job that carries one request id into a queue. It may be rung twice, late or never."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)

ENTRY = "workqueue.worker.answer"  # the only thing that a worker runs
CHANNEL = "localfn:changed"
RESULT_TTL_S = 600  # how long rq-dashboard shows a finished job
FAILURE_TTL_S = 24 * 3600  # and a failed one; the truth about both is in PostgreSQL


@dataclass(frozen=True, slots=True)
class Bell:
    """One ring: which request, its next attempt, in which queue."""

    request_id: UUID
    attempt: int
    queue: str
    function: str

    @property
    def job_id(self) -> str:
        return f"{self.request_id}-{self.attempt}"


class Doorbell:
    """Rings workers, and tells those who wait that a request changed."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def ring(self, bells: Iterable[Bell]) -> bool:
        """Rings all. False when Redis is away: the reconciler will find them not rung."""
        try:
            with self.redis.pipeline(transaction=False) as pipeline:
                for bell in bells:
                    queue(bell.queue, self.redis).enqueue_call(
                        ENTRY,
                        kwargs={"request_id": str(bell.request_id)},
                        job_id=bell.job_id,
                        description=f"{bell.function} {bell.request_id}",
                        # RQ's own limit is an exception that user code could swallow; the sandbox has a real one.
                        timeout=-1,
                        # It has waited for its turn once: what comes back does not queue up again.
                        at_front=bell.attempt > 1,
                        result_ttl=RESULT_TTL_S,
                        failure_ttl=FAILURE_TTL_S,
                        pipeline=pipeline,
                    )
                pipeline.execute()
        except RedisError as error:
            log.warning("Redis is away: the doorbell was not rung", extra={"error": str(error)})
            return False
        return True

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

    def waiting(self, names: Sequence[str]) -> set[str]:
        """The job ids that wait in these queues. Raises RedisError."""
        return {job_id for name in names for job_id in queue(name, self.redis).get_job_ids()}


def queue(name: str, redis: Redis) -> Queue:
    return Queue(name, connection=redis, serializer=JSONSerializer)
