"""A Redis client that cannot write, for pages that show data of other programs."""

from collections.abc import Callable
from typing import Any, NoReturn

from redis import Redis
from redis.exceptions import ResponseError

# The reading commands, each with its answer for a missing key, which a key of another type gets too.
READS: dict[str, Callable[[], Any]] = {
    "EXISTS": int,
    "HGET": lambda: None,
    "HGETALL": dict,
    "LLEN": int,
    "LRANGE": list,
    "SCARD": int,
    "SMEMBERS": set,
    "XREVRANGE": list,
    "ZCARD": int,
    "ZRANGE": list,
    "ZSCORE": lambda: None,
}


class ReadOnlyRedis(Redis):
    """Execute the commands in READS; answer any other command with 0, as if it had changed nothing."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a reading command. Raises RedisError."""
        empty = READS.get(str(args[0]).upper())
        if empty is None:
            return 0
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                return empty()
            raise

    def pipeline(self, *_: Any, **__: Any) -> NoReturn:
        """Raise ResponseError: rq-dashboard uses pipelines for writing."""
        raise ResponseError("A page of rq-dashboard tried to write to Redis.")
