"""The main function of a worker process, from the fork to its end."""

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
from workqueue.sandboxes.pool_connection import SandboxPoolClient
from workqueue.telemetry import make_observers, metric_store
from workqueue.telemetry.counters import Counters
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_status import RqStatusReporter
from workqueue.workers.pool_config import PoolConfig
from workqueue.workers.worker import Worker

log = logging.getLogger(__name__)

REDIS_RETRY_S = 0.5


def run_worker(
    config: PoolConfig, engine: Engine, name: str, pool_socket: socket.socket, activity: WorkerActivity
) -> None:
    """Run a worker until it is stopped or the pool is gone. engine: made before the fork, without open connections."""
    _add_worker_to_logs(name)
    try:
        context = _make_context(config, engine, name, pool_socket, activity)
        worker = _make_worker(config, context)
    except BaseException as error:
        activity.set_failure(f"{type(error).__name__}: {error}")
        raise
    # The first heartbeat follows the setup, because it promises that the worker can serve. It uses the open connection;
    # the lease renewer opens its own for the first long request.
    worker_heartbeats.beat(engine, context.clock, name, config.queues)
    worker.run()
    context.observers.close()
    metric_store.flush(engine, context.counters)
    worker_heartbeats.deregister(engine, name)


def _make_worker(config: PoolConfig, context: ExecutionContext) -> Worker:
    """Return the worker. RQ connects at once, so retry during an outage of Redis: it is no failure of the worker."""
    while True:
        try:
            return Worker(context, Redis.from_url(config.redis_url), config.grace_s)
        except RedisError as error:
            log.warning("Redis is unavailable", extra={"error": str(error)})
            time.sleep(REDIS_RETRY_S)


def _add_worker_to_logs(worker: str) -> None:
    """Add the worker's name to every log line of this process."""

    def add_worker(record: logging.LogRecord) -> bool:
        record.worker = getattr(record, "worker", worker)
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(add_worker)


def _make_context(
    config: PoolConfig, engine: Engine, name: str, pool_socket: socket.socket, activity: WorkerActivity
) -> ExecutionContext:
    clock, given_up = Clock(), threading.Event()
    retry_through_outage(lambda: clock.synchronise(engine), given_up)
    # A short timeout: while a request runs, Redis is only needed for status and announcements.
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
        sandboxes=SandboxPoolClient(pool_socket, max_body=2 * config.max_result_bytes + 1024 * 1024),
        store=config.store,
        working_directory=WorkingDirectory(config.work_folder, name, config.account),
        disk=config.disk,
        spool=SpoolFile(config.spool_folder, name),
        activity=activity,
        lease_s=config.lease_s,
        counters=counters,
        observers=make_observers(counters, "worker", traces=config.traces),
    )
