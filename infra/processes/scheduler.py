"""`localfn scheduler`: the reconciler."""

import signal
import threading

from infra import logs
from infra.processes.connections import redis_client, urls
from infra.settings import Settings
from schema.session import make_engine
from workqueue import reconcile
from workqueue.clock import Clock
from workqueue.doorbell import Doorbell


def run(settings: Settings) -> None:
    """Looks after what others left undone until SIGTERM."""
    logs.configure(settings.log_level, settings.log_format, "scheduler")
    database_url, redis_url = urls(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    engine = make_engine(database_url, pool_size=2)
    reconcile.run(engine, Doorbell(redis_client(redis_url)), Clock(), settings.lease_s, stopping)
