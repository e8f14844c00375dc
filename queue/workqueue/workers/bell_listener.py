"""Find requests to claim: by bells, and by a look at the due rows while no bell arrives.

A bell may be lost, and Redis may be full, frozen or gone. So while a worker could take more and hears nothing, it looks
for due requests itself, once a second: an index scan that writes nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from schema.async_database import AsyncDatabase
from workqueue import lifecycle
from workqueue.backoff import Backoff
from workqueue.clock import Clock
from workqueue.database import error_summary
from workqueue.ids import request_id_of
from workqueue.transport import foreign_jobs
from workqueue.transport.circuit_breaker import describe_error
from workqueue.transport.job_fetcher import JobFetcher

log = logging.getLogger(__name__)

LISTEN_S = 5  # how long one blocking call waits for a bell
MARGIN_S = 2.0  # a blocking call that takes this much longer gets no answer any more
FETCH_S = 1.0  # for an answer without waiting
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 5.0  # between tries while Redis is unavailable
LOOK_S = 1.0  # interval of the looks while no bell arrives
OVERDUE_S = 0.4  # a bell that was rung this long ago has been lost, or waits behind others


class BellListener:
    """Find requests for one worker.

    redis: for jobs of other programs, which are rejected. free_count: returns how many requests the worker can take.
    lacking: returns functions that it does not have.
    """

    def __init__(
        self,
        fetcher: JobFetcher,
        redis: Redis,
        worker: str,
        database: AsyncDatabase,
        clock: Clock,
        queues: Sequence[str],
        free_count: Callable[[], int],
        lacking: Callable[[], Iterable[str]],
    ) -> None:
        self._fetcher, self._redis, self._worker = fetcher, redis, worker
        self._database, self._clock, self._queues = database, clock, list(queues)
        self._free_count, self._lacking = free_count, lacking
        self._heard_at = 0.0
        self._backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)

    async def next_bells(self, max_count: int) -> list[UUID]:
        """Wait for bells; return the requests that they ring for: none after LISTEN_S, or if Redis is unavailable."""
        try:
            async with asyncio.timeout(FETCH_S):
                job_ids = await self._fetcher.pop_batch(max_count)
            if not job_ids:
                async with asyncio.timeout(LISTEN_S + MARGIN_S):
                    job_ids = await self._fetcher.pop_blocking(LISTEN_S)
        except (RedisError, OSError, TimeoutError) as error:
            reason = describe_error(error) if isinstance(error, RedisError) else "Redis is unavailable"
            log.warning("queues not read", extra={"reason": reason, "error": str(error)})
            await asyncio.sleep(self._backoff.next_s())
            return []
        self._backoff.reset()
        if job_ids:
            self._heard_at = time.monotonic()
        return [id for job_id in job_ids if (id := await self._request_id(job_id)) is not None]

    async def overdue(self) -> list[UUID]:
        """Wait until it is time for a look; return due requests whose bell was not heard, as many as are welcome."""
        await asyncio.sleep(max(0.0, self._heard_at + LOOK_S - time.monotonic(), 0.0 if self._heard_at else LOOK_S))
        limit = self._free_count()
        now = self._clock.now()
        before = now - timedelta(seconds=OVERDUE_S)
        steps = lifecycle.overdue_steps(self._queues, now, before, limit, list(self._lacking()))
        try:
            found = await self._database.run(steps) if limit else []
        except psycopg.Error as error:
            log.debug("overdue requests not found", extra={"error": error_summary(error)})
            found = []
        if len(found) < limit or not limit:
            self._heard_at = time.monotonic()  # the next look follows after LOOK_S
        return found

    async def _request_id(self, job_id: str) -> UUID | None:
        """Return the request that a job rings for. Reject a job that is not a bell: show it as failed, unrun."""
        request_id = request_id_of(job_id)
        if request_id is None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, foreign_jobs.reject, self._redis, job_id, self._worker)
        return request_id
