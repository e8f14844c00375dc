"""Run Dramatiq: its Redis broker, which acknowledges when a task has ended, with the default middleware."""

import os
from collections.abc import Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers import durable

dramatiq.set_broker(RedisBroker(url=os.environ[durable.REDIS_URL]))
perform = dramatiq.actor(durable.perform, actor_name="perform")


def enqueue(request_ids: Sequence[str]) -> None:
    for request_id in request_ids:
        perform.send(request_id)
