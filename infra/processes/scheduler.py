"""`localfn scheduler`: the reconciler, and the chores of whoever leads."""

import signal
import threading

from infra import logs
from infra.processes.connections import redis_client, urls
from infra.settings import Settings
from schema.session import make_engine
from workqueue import presence, reconcile, sweep
from workqueue.clock import Clock
from workqueue.doorbell import Doorbell
from workqueue.reconcile import Chore, Reconciler
from workqueue.store import FolderStore


def run(settings: Settings) -> None:
    """Looks after what others left undone until SIGTERM."""
    logs.configure(settings.log_level, settings.log_format, "scheduler")
    database_url, redis_url = urls(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    engine, doorbell, clock = make_engine(database_url, pool_size=2), Doorbell(redis_client(redis_url)), Clock()
    store = FolderStore(settings.home / "files")
    days = settings.retention_days
    chores = [
        Chore("clock", 30, lambda: clock.synchronise(engine)),
        Chore("workers", 60, lambda: presence.forget_gone(engine, clock.now())),
        Chore("retention", 60, lambda: sweep.old_requests(engine, store, doorbell, clock, days)),
        Chore("files", 3600, lambda: sweep.orphaned_files(engine, store)),
    ]
    reconcile.run(Reconciler(engine, doorbell, clock, settings.lease_s), chores, stopping)
