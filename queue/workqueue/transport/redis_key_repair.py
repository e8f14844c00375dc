"""Repair the keys in Redis that the runtime reads, after another program changed them.

Every command on a key of another type fails, so such a key is deleted. Its content comes from PostgreSQL: it is
written again, and the reconciler rings for the requests that lost their bells.
"""

import logging
from collections.abc import Iterable
from typing import Any

from redis import Redis
from rq import Queue, Worker
from rq.worker_registration import WORKERS_BY_QUEUE_KEY
from rq_scheduler import Scheduler

from workqueue.transport.safe_queue import REGISTRIES

log = logging.getLogger(__name__)

GENERATION_KEY = "localfn:era"
DASHBOARD_SECRET_KEY = "localfn:rq-secret"  # noqa: S105 - the name of a key
LOCK = "lock"  # a string that expires; without an expiry the lock would be held forever

# KEYS: the keys to check. ARGV: the type that each must have. Returns the deleted keys.
REPAIR = """
local deleted = {}
for index, key in ipairs(KEYS) do
    local wanted, found = ARGV[index], redis.call('type', key).ok
    local is_wrong = found ~= 'none' and found ~= wanted
    if wanted == 'lock' then
        is_wrong = found ~= 'none' and (found ~= 'string' or redis.call('ttl', key) == -1)
    end
    if is_wrong then
        redis.call('del', key)
        deleted[#deleted + 1] = key
    end
end
return deleted
"""
# KEYS[1]: a value that all processes share. ARGV[1]: a new one, of hexadecimal digits and hyphens, which replaces a
# missing or malformed value. A script is atomic, so two processes never see different values.
GET_OR_SET = """
local found = redis.pcall('get', KEYS[1])
if type(found) == 'string' and #found == #ARGV[1] and not found:find('[^0-9a-f-]') then return found end
redis.call('del', KEYS[1])
redis.call('set', KEYS[1], ARGV[1])
return ARGV[1]
"""


def shared_value(redis: Any, key: str, fresh: str) -> Any:
    """Return the value that all processes share; set it to `fresh` if unset. Raises RedisError.

    redis: a client, or a pipeline, which returns the value as bytes when it is executed.
    """
    found = redis.eval(GET_OR_SET, 1, key, fresh)
    return found.decode() if isinstance(found, bytes) else found


def expected_types(queues: Iterable[str]) -> dict[str, str]:
    """Return the keys that the runtime reads, each with the type that it must have."""
    found = {
        Queue.redis_queues_keys: "set",
        Worker.redis_workers_keys: "set",
        Scheduler.scheduled_jobs_key: "zset",
    }
    for name in queues:
        found[f"{Queue.redis_queue_namespace_prefix}{name}"] = "list"
        found[WORKERS_BY_QUEUE_KEY % name] = "set"
        found |= dict.fromkeys(_registries(name), "zset")
        found[f"rq:clean_registries:{name}"] = LOCK
    return found


def repair(redis: Redis, queues: Iterable[str]) -> list[str]:
    """Delete the keys of a wrong type, and return their names. Raises RedisError."""
    wanted = expected_types(queues)
    deleted = [key.decode() for key in redis.eval(REPAIR, len(wanted), *wanted, *wanted.values())]
    for key in deleted:
        log.warning("Redis key of a wrong type deleted", extra={"key": key})
    return deleted


def clean_registries(queue: Queue) -> None:
    """Remove expired entries from a queue's registries, and lost workers from its set of workers.

    Raises RedisError.
    """
    redis = queue.connection
    for kind in REGISTRIES.values():
        kind(queue.name, redis).cleanup()
    for key in (WORKERS_BY_QUEUE_KEY % queue.name, Worker.redis_workers_keys):
        if gone := [member for member in redis.smembers(key) if not redis.exists(member)]:
            redis.srem(key, *gone)


def _registries(queue: str) -> list[str]:
    return [kind.key_template.format(queue) for kind in REGISTRIES.values()]
