"""Run the bounds: a loop that moves an id through Redis and a row through PostgreSQL, and does nothing else.

`python -m benchmarks.peers.runners.bare 1` takes one request at a time in four round trips (LMOVE, claim, finish,
LREM); a larger number is the size of a batch, in four round trips, too.
"""

import os
import signal
import sys
from collections.abc import Sequence

from redis import Redis

from benchmarks.peers import durable

QUEUE = "peers:queue"
WAIT_S = 1


def enqueue(request_ids: Sequence[str]) -> None:
    _redis().lpush(QUEUE, *request_ids)


def main(batch: int) -> None:
    """Work until SIGTERM; a signal takes effect between two batches."""
    redis, held = _redis(), f"peers:held:{os.getpid()}"
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    while not stopped:
        taken = take(redis, held, batch)
        if not taken:
            continue
        if batch == 1:
            durable.perform(taken[0])
            redis.lrem(held, 1, taken[0])
        else:
            durable.perform_many(taken)
            redis.delete(held)


def take(redis: "Redis", held: str, batch: int) -> list[str]:
    """Move ids to the list of this process, where they survive a crash. Wait only for the first."""
    if batch > 1:
        with redis.pipeline(transaction=False) as pipeline:
            for _ in range(batch):
                pipeline.lmove(QUEUE, held, "RIGHT", "LEFT")
            moved = [request_id for request_id in pipeline.execute() if request_id is not None]
        if moved:
            return moved
    first = redis.blmove(QUEUE, held, WAIT_S, "RIGHT", "LEFT")
    return [] if first is None else [str(first)]


def _redis() -> "Redis":
    return Redis.from_url(os.environ[durable.REDIS_URL], decode_responses=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
