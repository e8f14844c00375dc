"""The life of a worker process, from the fork of its pool to its end."""

import logging
import socket
import threading
import time

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine

from workqueue.clock import Clock
from workqueue.database import retry_through_outage
from workqueue.files.working_directory import WorkingDirectory
from workqueue.heartbeats import worker_heartbeats
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.invocation.context import ExecutionContext
from workqueue.logs.spool_file import SpoolFile
from workqueue.sandboxes.pool_protocol import SandboxPoolClient
from workqueue.telemetry import metric_store
from workqueue.telemetry.counters import Counters
from workqueue.telemetry.setup import make_observers
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_status import RqStatusReporter
from workqueue.workers.config import PoolConfig
from workqueue.workers.worker import Worker

log = logging.getLogger(__name__)

REDIS_PAUSE_S = 0.5


def run_worker(config: PoolConfig, engine: Engine, name: str, line: socket.socket, activity: WorkerActivity) -> None:
    """Work until it is stopped or its host is gone. engine: made before the fork, without a connection."""
    _name_in_log(name)
    try:
        context = _context(config, engine, name, line, activity)
        worker = _made(config, context)
    except BaseException as error:
        activity.set_failure(f"{type(error).__name__}: {error}")
        raise
    # Only now: who is on record as present can serve. By the connection that is there already; the keeper opens one
    # when something lasts.
    worker_heartbeats.beat(engine, context.clock, name, config.queues)
    worker.run()
    context.observers.close()
    metric_store.flush(engine, context.counters)
    worker_heartbeats.deregister(engine, name)


def _made(config: PoolConfig, context: ExecutionContext) -> Worker:
    """Return the worker once Redis, to which RQ speaks at once, answers. An outage is no failure of the worker's."""
    while True:
        try:
            return Worker(context, Redis.from_url(config.redis_url), config.grace_s)
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


def _context(
    config: PoolConfig, engine: Engine, name: str, line: socket.socket, activity: WorkerActivity
) -> ExecutionContext:
    clock, given_up = Clock(), threading.Event()
    retry_through_outage(lambda: clock.synchronise(engine), given_up)
    # Nobody waits long for Redis while a request runs: it is only told of things.
    redis = Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=1)
    counters = Counters()
    return ExecutionContext(
        given_up=given_up,
        worker=name,
        queues=config.queues,
        engine=engine,
        doorbell=Doorbell(redis),
        rq_status=RqStatusReporter(redis, name),
        clock=clock,
        sandboxes=SandboxPoolClient(line, max_body=2 * config.max_result_bytes + 1024 * 1024),
        store=config.store,
        working_directory=WorkingDirectory(config.work_folder, name, config.account),
        disk=config.disk,
        spool=SpoolFile(config.spool_folder, name),
        activity=activity,
        lease_s=config.lease_s,
        counters=counters,
        observers=make_observers(counters, "worker", traces=config.traces),
    )
