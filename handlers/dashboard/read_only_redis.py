"""A Redis client that reads and cannot write, for pages that show what other programs may have written."""

from collections.abc import Callable
from typing import Any, NoReturn

from redis import Redis
from redis.exceptions import ResponseError

# The commands that read, each with the answer for a key of another type: as for a key that is not there.
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
    """Answers the commands in READS; every other one is left out, as if it had found nothing to change."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Ask Redis, if the command reads. Raises RedisError."""
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
        """Raise ResponseError: a pipeline is for writing."""
        raise ResponseError("A page of rq-dashboard tried to write into Redis.")
