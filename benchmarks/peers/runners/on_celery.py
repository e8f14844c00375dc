"""Run Celery: prefork, late acknowledgement, JSON, no result backend, since the result is in PostgreSQL."""

import os
from collections.abc import Sequence

from celery import Celery

from benchmarks.peers import durable

app = Celery("peers", broker=os.environ[durable.REDIS_URL].replace("unix://", "redis+socket://", 1))
app.conf.update(
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_ignore_result=True,
    task_serializer="json",
    worker_hijack_root_logger=False,
    # Its default. Celery's guide advises more for short tasks; with late acknowledgement on Redis more is slower.
    worker_prefetch_multiplier=4,
)
perform = app.task(name="perform")(durable.perform)


def enqueue(request_ids: Sequence[str]) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for request_id in request_ids:
            perform.apply_async((request_id,), producer=producer)
