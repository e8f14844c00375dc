"""Run RQ as it comes: `python -m benchmarks.peers.runners.on_rq simple` runs jobs in process, `fork` forks for each."""

import os
import sys
from collections.abc import Sequence

from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer

from benchmarks.peers import durable

WORKERS = {"simple": SimpleWorker, "fork": Worker}


def _queue() -> Queue:
    return Queue(connection=Redis.from_url(os.environ[durable.REDIS_URL]), serializer=JSONSerializer)


queue = _queue()


def enqueue(request_ids: Sequence[str]) -> None:
    """result_ttl=0: RQ deletes the job when it has ended, since the result is in PostgreSQL."""
    with queue.connection.pipeline(transaction=False) as pipeline:
        for request_id in request_ids:
            queue.enqueue_call(durable.perform, (request_id,), result_ttl=0, pipeline=pipeline)
        pipeline.execute()


def main(kind: str) -> None:
    """Works until SIGTERM. The task's module is imported by now, so that a forked child need not do it."""
    worker = WORKERS[kind]([queue], connection=queue.connection, serializer=JSONSerializer, log_job_description=False)
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    main(sys.argv[1])
