"""Run RQ with its defaults: the argument `simple` runs jobs in the process, `fork` forks for each job."""

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
    """Enqueue the requests; result_ttl=0 deletes ended jobs, since the result is in PostgreSQL."""
    with queue.connection.pipeline(transaction=False) as pipeline:
        for request_id in request_ids:
            queue.enqueue_call(durable.perform, (request_id,), result_ttl=0, pipeline=pipeline)
        pipeline.execute()


def main(kind: str) -> None:
    """Work until SIGTERM. The module of the task is imported already, so that a forked child need not import it."""
    worker = WORKERS[kind]([queue], connection=queue.connection, serializer=JSONSerializer, log_job_description=False)
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    main(sys.argv[1])
