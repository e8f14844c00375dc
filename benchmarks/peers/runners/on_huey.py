"""Run Huey on Redis, without its result store, since the result is in PostgreSQL.

Huey pops a task before it runs and acknowledges nothing: after a crash the request is pending in PostgreSQL only.
"""

import os
from collections.abc import Sequence

from huey import RedisHuey

from benchmarks.peers import durable

huey = RedisHuey("peers", url=os.environ[durable.REDIS_URL], results=False)
perform = huey.task(name="perform")(durable.perform)


def enqueue(request_ids: Sequence[str]) -> None:
    for request_id in request_ids:
        perform(request_id)
