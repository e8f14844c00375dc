"""The life of a worker process, from the fork of its pool to its end."""

import logging
import socket
import threading
import time

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine

from workqueue.clock import Clock
from workqueue.database import persist
from workqueue.files.working_directory import Workplace
from workqueue.heartbeats import worker_heartbeats
from workqueue.heartbeats.worker_activity import Gauge
from workqueue.invocation.attempt import Runtime
from workqueue.logs.spool_file import Spool
from workqueue.sandboxes.pool_protocol import SandboxClient
from workqueue.telemetry import metric_store
from workqueue.telemetry.counters import Meter
from workqueue.telemetry.setup import observing
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_status import Board
from workqueue.workers.config import PoolPlan
from workqueue.workers.worker import Worker

log = logging.getLogger(__name__)

REDIS_PAUSE_S = 0.5


def live(plan: PoolPlan, engine: Engine, name: str, line: socket.socket, gauge: Gauge) -> None:
    """Work until it is stopped or its host is gone. engine: made before the fork, without a connection."""
    _name_in_log(name)
    try:
        runtime = _runtime(plan, engine, name, line, gauge)
        worker = _made(plan, runtime)
    except BaseException as error:
        gauge.set_failure(f"{type(error).__name__}: {error}")
        raise
    # Only now: who is on record as present can serve. By the connection that is there already; the keeper opens one
    # when something lasts.
    worker_heartbeats.note(runtime)
    worker.run()
    runtime.observers.close()
    metric_store.hand_over(engine, runtime.meter)
    worker_heartbeats.leave(runtime)


def _made(plan: PoolPlan, runtime: Runtime) -> Worker:
    """Return the worker once Redis, to which RQ speaks at once, answers. An outage is no failure of the worker's."""
    while True:
        try:
            return Worker(runtime, Redis.from_url(plan.redis_url), plan.grace_s)
        except RedisError as error:
            log.warning("Redis is unavailable", extra={"error": str(error)})
            time.sleep(REDIS_PAUSE_S)


def _name_in_log(worker: str) -> None:
    """Each line of this process names it, whatever it tells of."""

    def named(record: logging.LogRecord) -> bool:
        record.worker = getattr(record, "worker", worker)
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(named)


def _runtime(plan: PoolPlan, engine: Engine, name: str, line: socket.socket, gauge: Gauge) -> Runtime:
    clock, given_up = Clock(), threading.Event()
    persist(lambda: clock.synchronise(engine), given_up)
    # Nobody waits long for Redis while a request runs: it is only told of things.
    redis = Redis.from_url(plan.redis_url, socket_connect_timeout=1, socket_timeout=1)
    meter = Meter()
    return Runtime(
        given_up=given_up,
        worker=name,
        queues=plan.queues,
        engine=engine,
        doorbell=Doorbell(redis),
        board=Board(redis, name),
        clock=clock,
        sandboxes=SandboxClient(line, max_body=2 * plan.max_result_bytes + 1024 * 1024),
        store=plan.store,
        workplace=Workplace(plan.work_folder, name, plan.account),
        disk=plan.disk,
        spool=Spool(plan.spool_folder, name),
        gauge=gauge,
        lease_s=plan.lease_s,
        meter=meter,
        observers=observing(meter, "worker", traces=plan.traces),
    )
