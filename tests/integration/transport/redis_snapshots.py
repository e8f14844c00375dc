"""Read all keys of a Redis database as values that tests can compare."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Key:
    """One key: its type, its content with readable values, and the seconds until it expires, rounded to ten."""

    type: str
    content: Any
    ttl_s: int


Snapshot = dict[str, Key]


def snapshot(client: Any) -> Snapshot:
    return {key.decode(): _key(client, key) for key in client.scan_iter()}


def _key(client: Any, key: bytes) -> Key:
    kind = client.type(key).decode()
    read: dict[str, Callable[[], Any]] = {
        "hash": lambda: {name.decode(): _readable(value) for name, value in client.hgetall(key).items()},
        "list": lambda: client.lrange(key, 0, -1),
        "set": lambda: client.smembers(key),
        "zset": lambda: dict(client.zrange(key, 0, -1, withscores=True)),
        "stream": lambda: [fields for _, fields in client.xrange(key)],
        "string": lambda: client.get(key),
    }
    return Key(kind, read[kind](), round(client.ttl(key), -1))


def _readable(value: bytes) -> str:
    try:
        return zlib.decompress(value).decode()
    except zlib.error:
        return value.decode()


def fields(taken: Snapshot, key: str) -> dict[str, str]:
    found: dict[str, str] = taken[key].content
    return found
