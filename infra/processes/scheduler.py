"""Run `localfn scheduler`: the ticker, the reconciler, and the periodic tasks of the leader."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Engine

from infra import logging_config
from infra.config import capacity
from infra.config.settings import Settings
from infra.database.checks import check_database_if_available
from infra.disk_reserve import disk_of, has_database
from infra.processes.connections import redis_client, required_urls
from schema.advisory_locks import Lock
from schema.engine import make_engine
from workqueue import audit
from workqueue.clock import Clock
from workqueue.heartbeats import worker_heartbeats
from workqueue.heartbeats.liveness import Liveness
from workqueue.heartbeats.session_names import Process, session_name
from workqueue.maintenance import cleaner, periodic
from workqueue.maintenance import reconciler as reconcile
from workqueue.maintenance.leader import LeaderSession
from workqueue.maintenance.periodic import PeriodicTask
from workqueue.maintenance.reconciler import Reconciler
from workqueue.maintenance.unknown_functions import INTERVAL_S, UnknownFunctionTask
from workqueue.schedules import edits, ticker
from workqueue.schedules.declarations import DeclarationSync
from workqueue.schedules.ticker import Ticker
from workqueue.stats import minute_rollup
from workqueue.telemetry import make_observers, metric_store
from workqueue.telemetry.counters import Counters
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.queue_pauses import QueuePauses
from workqueue.transport.rq_scheduler import RqSchedulerMirror

FLUSH_INTERVAL_S = 4.0
CLOCK_INTERVAL_S = 10.0
MAX_TURN_S = 120.0  # of the loops that recover requests and fire schedules: twice the limit of a statement
MAX_STOP_S = 5.0  # a loop may be cut off after this time; the next leader continues its work

Loop = Callable[[threading.Event], None]


def run(settings: Settings) -> None:
    """Fire schedules, recover requests and run maintenance until SIGTERM."""
    logging_config.configure(settings.log_level, settings.log_format, "scheduler")
    database_url, redis_url = required_urls(settings)
    check_database_if_available(database_url, {Process.SCHEDULER: 1})
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    kept = capacity.SCHEDULER_CONNECTIONS
    engine = make_engine(database_url, pool_size=kept, max_overflow=0, application_name=session_name(Process.SCHEDULER))
    clock, counters = Clock(), Counters()
    redis, session = redis_client(redis_url), LeaderSession(engine)
    doorbell, mirror = Doorbell(redis, QueuePauses(engine).names), RqSchedulerMirror(redis, clock)
    observers = make_observers(counters, "scheduler", traces=settings.traces)
    reconciler = Reconciler(
        engine, doorbell, Clock(), settings.lease_s, settings.queues, counters=counters, observers=observers
    )
    removal = _removal_tasks(settings, engine, doorbell, clock)
    bookkeeping = _bookkeeping_tasks(engine, clock, settings)
    disk = disk_of(settings) if has_database(settings) else None
    loops = [Liveness(settings.home / "run", name, MAX_TURN_S) for name in ("schedules", "reconciler")]
    # One thread each: no tick and no recovery waits for maintenance, and no rollup for a slow file store.
    others = [
        _start_thread(
            "schedules",
            partial(
                ticker.run,
                Ticker(engine, doorbell, clock, mirror, counters=counters, disk=disk),
                session,
                on_turn=loops[0].record,
            ),
            stopping,
        ),
        _start_thread(
            "bookkeeping", partial(periodic.run_periodic_tasks, session, Lock.MINUTE_ROLLUP, bookkeeping), stopping
        ),
        _start_thread("cleanup", partial(periodic.run_periodic_tasks, session, Lock.CLEANUP, removal), stopping),
        _start_thread("metrics", partial(_flush_metrics, engine, counters), stopping),
    ]
    try:
        unknown = UnknownFunctionTask(engine, doorbell, counters, settings.unknown_function_s)
        tasks = [_declarations_task(engine, settings), PeriodicTask("unknown functions", INTERVAL_S, unknown.run)]
        reconcile.run(reconciler, session, tasks, stopping, loops[1].record)
    finally:
        stopping.set()
        observers.close()
        ends_at = time.monotonic() + MAX_STOP_S
        for thread in others:
            thread.join(max(0.0, ends_at - time.monotonic()))
        for loop in loops:
            loop.close()


def _clock_task(engine: Engine, clock: Clock) -> PeriodicTask:
    return PeriodicTask("clock", CLOCK_INTERVAL_S, lambda: clock.refresh(engine, CLOCK_INTERVAL_S / 2))


def _declarations_task(engine: Engine, settings: Settings) -> PeriodicTask:
    rules = partial(edits.load_rules, engine, settings.queues, settings.max_event_bytes)
    return PeriodicTask("declared", 2, DeclarationSync(engine, rules).sync)


def _bookkeeping_tasks(engine: Engine, clock: Clock, settings: Settings) -> list[PeriodicTask]:
    """Return the tasks for stats and for the database's own tables."""
    return [
        _clock_task(engine, clock),
        PeriodicTask("minute rollup", 5, lambda: minute_rollup.roll_up(engine, clock.now())),
        PeriodicTask("workers", 60, lambda: worker_heartbeats.delete_old(engine, clock.now())),
        PeriodicTask("ticks", 3600, lambda: cleaner.delete_old_ticks(engine, clock, settings.retention_days)),
        PeriodicTask("audit", 3600, lambda: audit.delete_old(engine, clock.now())),
    ]


def _removal_tasks(settings: Settings, engine: Engine, doorbell: Doorbell, clock: Clock) -> list[PeriodicTask]:
    """Return the tasks that use the file store, which may be slow."""
    store, days = settings.make_store(), settings.retention_days
    retention = partial(cleaner.delete_old_requests, engine, store, doorbell, clock, days)
    return [
        _clock_task(engine, clock),
        PeriodicTask("retention", 60, retention, full=cleaner.MAX_PER_RUN),
        PeriodicTask("files", 3600, lambda: cleaner.remove_orphaned_files(engine, store)),
    ]


def _start_thread(name: str, loop: Loop, stopping: threading.Event) -> threading.Thread:
    """Start a loop in a thread. If the loop fails, the process exits and is restarted."""

    def run() -> None:
        try:
            loop(stopping)
        finally:
            stopping.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def _flush_metrics(engine: Engine, counters: Counters, stopping: threading.Event) -> None:
    """Store this process's metrics for all scrapes, on a leader and on a standby."""
    while not stopping.wait(FLUSH_INTERVAL_S):
        metric_store.flush(engine, counters)
    metric_store.flush(engine, counters)
