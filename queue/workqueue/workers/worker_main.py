"""The main function of a worker process, from the fork to its end."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine as SyncEngine

from schema.engine import make_engine
from workqueue.clock import Clock
from workqueue.database import retry_through_outage
from workqueue.heartbeats import worker_heartbeats
from workqueue.heartbeats.session_names import Process, session_name
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.prctl import adopt_orphans
from workqueue.telemetry import make_observers
from workqueue.telemetry.counters import Counters
from workqueue.workers.engine import Engine
from workqueue.workers.parts import Parts
from workqueue.workers.pool_config import PoolConfig
from workqueue.workers.upkeep import Upkeep
from workqueue.workers.worker import Worker

log = logging.getLogger(__name__)

REDIS_RETRY_S = 0.5


def run_worker(config: PoolConfig, interpreter: Interpreter, name: str, activity: WorkerActivity) -> None:
    """Run a worker until it is stopped."""
    _add_worker_to_logs(name)
    try:
        adopt_orphans()
        engine = make_engine(
            config.database_url, pool_size=1, max_overflow=1, application_name=session_name(Process.WORKER)
        )
        clock = Clock()
        retry_through_outage(lambda: clock.synchronise(engine), threading.Event())

        def run_engine(worker: Worker) -> None:
            asyncio.run(_run(config, interpreter, engine, clock, worker, activity))

        _make_worker(config, name, run_engine).work()
    except BaseException as error:
        activity.set_failure(f"{type(error).__name__}: {error}")
        log.exception("worker failed; the pool gives its requests back")
        raise SystemExit(1) from None


async def _run(
    config: PoolConfig,
    interpreter: Interpreter,
    engine: SyncEngine,
    clock: Clock,
    worker: Worker,
    activity: WorkerActivity,
) -> None:
    counters = Counters()
    parts = Parts(config, worker.name, clock, make_observers(counters, "worker", traces=config.traces), interpreter)
    upkeep = Upkeep(engine, clock, worker, parts.pool, config.disk, counters)
    await parts.claims.open()
    await parts.ends.open()
    await asyncio.to_thread(worker_heartbeats.beat, engine, clock, worker.name, config.queues)
    engine_loop = Engine(parts, upkeep, activity, config.grace_s)
    ticking = asyncio.create_task(engine_loop.tick())  # also while hundreds of sandboxes are ended
    try:
        await engine_loop.run()
    finally:
        await parts.close()
        await upkeep.close()
        ticking.cancel()


def _make_worker(config: PoolConfig, name: str, run_engine: Callable[[Worker], None]) -> Worker:
    """Return the worker. RQ connects at once, so retry during an outage of Redis: it is no failure of the worker."""
    while True:
        try:
            redis = Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=5)
            return Worker(name, config.queues, redis, run_engine)
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
