"""`localfn scheduler`: schedules, the reconciler, and the chores of whoever leads."""

import signal
import threading
from functools import partial

from sqlalchemy import Engine

from infra import file_store, logs
from infra.processes.connections import redis_client, urls
from infra.settings import Settings
from schema.session import make_engine
from workqueue import audit
from workqueue.clock import Clock
from workqueue.doorbell import Doorbell
from workqueue.figures import tally
from workqueue.observing import totals
from workqueue.observing.meter import Meter
from workqueue.observing.observers import observing
from workqueue.pausing import Paused
from workqueue.schedules import editing, ticker
from workqueue.schedules.declaring import Declarations
from workqueue.schedules.mirror import Mirror
from workqueue.schedules.ticker import Ticker
from workqueue.upkeep import reconcile, sweep
from workqueue.upkeep.reconcile import Chore, Reconciler
from workqueue.workers import presence

TICK_REDIS_TIMEOUT_S = 1.0
HAND_OVER_EVERY_S = 4.0


def run(settings: Settings) -> None:
    """Fires schedules, and looks after what others left undone, until SIGTERM."""
    logs.configure(settings.log_level, settings.log_format, "scheduler")
    database_url, redis_url = urls(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    engine, clock = make_engine(database_url, pool_size=4), Clock()
    doorbell = Doorbell(redis_client(redis_url), Paused(engine).names)
    store = file_store.make(settings.files, settings.home)
    days = settings.retention_days
    rules = partial(editing.rules, engine, settings.queues, settings.max_event_bytes)
    chores = [
        Chore("clock", 30, lambda: clock.synchronise(engine)),
        Chore("workers", 60, lambda: presence.forget_gone(engine, clock.now())),
        Chore("tally", 5, lambda: tally.roll_up(engine, clock.now())),
        Chore("retention", 60, lambda: sweep.old_requests(engine, store, doorbell, clock, days)),
        Chore("ticks", 3600, lambda: sweep.old_ticks(engine, clock, days)),
        Chore("audit", 3600, lambda: audit.sweep(engine, clock.now())),
        Chore("files", 3600, lambda: sweep.orphaned_files(engine, store)),
        Chore("declared", 2, Declarations(engine, rules).look),
    ]
    # A thread of their own: a tick must not wait for the end of a chore.
    meter = Meter()
    ticks = threading.Thread(target=_tick, args=(_ticker(engine, redis_url, clock, meter), stopping), name="schedules")
    ticks.start()
    numbers = threading.Thread(target=_hand_over, args=(engine, meter, stopping), name="metrics")
    numbers.start()
    observers = observing(meter, "scheduler", traces=settings.traces)
    reconciler = Reconciler(engine, doorbell, clock, settings.lease_s, meter=meter, observers=observers)
    try:
        reconcile.run(reconciler, chores, stopping)
    finally:
        stopping.set()
        observers.close()
        ticks.join()
        numbers.join()


def _tick(made: Ticker, stopping: threading.Event) -> None:
    """Should it ever end by itself, the process ends with it, and is started again."""
    try:
        ticker.run(made, stopping)
    finally:
        stopping.set()


def _hand_over(engine: Engine, meter: Meter, stopping: threading.Event) -> None:
    """Whoever leads or not: what this process counted goes to all others' numbers."""
    while not stopping.wait(HAND_OVER_EVERY_S):
        totals.hand_over(engine, meter)
    totals.hand_over(engine, meter)


def _ticker(engine: Engine, redis_url: str, clock: Clock, meter: Meter) -> Ticker:
    redis = redis_client(redis_url, TICK_REDIS_TIMEOUT_S)
    return Ticker(engine, Doorbell(redis, Paused(engine).names), clock, Mirror(redis, clock), meter=meter)
