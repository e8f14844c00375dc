"""Fetch bells from the queues: several at once when many wait, else the next one."""

from collections.abc import Sequence

from redis.asyncio import Redis

# Take bells from the first queue that has any: at most ARGV[1], and at most one in ARGV[2] of the queue, because other
# workers may be idle. A script needs one round trip instead of three.
TAKE = """
for _, key in ipairs(KEYS) do
    local waiting = redis.call('llen', key)
    if waiting > 0 then
        local share = math.min(tonumber(ARGV[1]), math.ceil(waiting / tonumber(ARGV[2])))
        local taken = {}
        for number = 1, share do taken[number] = redis.call('lpop', key) end
        return taken
    end
end
return {}
"""
SHARE = 4  # a worker takes at most a quarter of a queue


class JobFetcher:
    """The queues of one worker, by priority. keys: RQ's keys of their lists in Redis."""

    def __init__(self, redis: Redis, keys: Sequence[str]) -> None:
        self._redis = redis
        self._keys = list(keys)
        self._take = redis.register_script(TAKE)

    async def pop_batch(self, max_count: int) -> list[str]:
        """Return the job ids of up to `max_count` waiting bells, without waiting. Raises RedisError."""
        return [_text(job_id) for job_id in await self._take(keys=self._keys, args=[max_count, SHARE])]

    async def pop_blocking(self, timeout_s: float) -> list[str]:
        """Wait for the next bell and return its job id; return no id after the timeout. Raises RedisError."""
        found = await self._redis.blpop(self._keys, timeout_s)
        return [] if found is None else [_text(found[1])]


def _text(job_id: bytes | str) -> str:
    """Decode a job id; invalid bytes are replaced, and the worker then rejects the job."""
    return job_id if isinstance(job_id, str) else job_id.decode("utf-8", "replace")
