"""How a worker takes bells from the queues: one when it has waited for it, a few when many wait."""

from collections.abc import Sequence

from redis import Redis

# From the first queue in which any wait: at most ARGV[1], and of many no more than one in ARGV[2], because other
# workers may be free. One round trip instead of three.
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
SHARE = 4  # of what waits in a queue a worker takes at most a quarter


class JobFetcher:
    """The queues of one worker, in the order in which they are served. keys: RQ's names of their lists in Redis."""

    def __init__(self, redis: Redis, keys: Sequence[str]) -> None:
        self._redis = redis
        self._keys = list(keys)
        self._take = redis.register_script(TAKE)

    def pop_batch(self, most: int) -> list[str]:
        """The job ids of those that wait now, `most` at the most. Raises RedisError."""
        return [_text(job_id) for job_id in self._take(keys=self._keys, args=[most, SHARE])]

    def pop_blocking(self, timeout_s: float) -> list[str]:
        """The next one, when it comes; none after the timeout. Raises RedisError."""
        found = self._redis.blpop(self._keys, timeout_s)
        return [] if found is None else [_text(found[1])]


def _text(job_id: bytes | str) -> str:
    """What is no text is no id of ours; it is refused like any other."""
    return job_id if isinstance(job_id, str) else job_id.decode("utf-8", "replace")
