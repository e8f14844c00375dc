"""The housekeeper process: publishes the functions of this machine, and cleans up after lost workers."""

import logging
import os
import signal
import socket
import threading
import time

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.engine import make_engine
from workqueue.clock import Clock
from workqueue.database import error_summary
from workqueue.functions import registry
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.functions.publisher import FunctionPublisher
from workqueue.heartbeats import sandbox_snapshots
from workqueue.heartbeats.sandbox_snapshots import SnapshotChannel
from workqueue.logs import recovery
from workqueue.maintenance import cleaner
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules.declarations import declared_schedule_problem
from workqueue.workers.pool_config import PoolConfig

log = logging.getLogger(__name__)

INTERVAL_S = 0.5  # docs promise that a code change is visible within 2 s
CLEANING_INTERVAL_S = 10.0


def run_housekeeping(
    config: PoolConfig, interpreter: Interpreter, stopping: threading.Event, snapshots: SnapshotChannel
) -> None:
    """Check the code of the functions twice a second until `stopping` is set. Outages of PostgreSQL delay this.

    The loop also stores the output that lost workers of this machine had spooled, removes their working directories,
    and stores the pool's snapshots of its sandboxes.
    """
    engine, clock = make_engine(config.database_url, pool_size=1), Clock()
    clean_at = snapshot_at = 0.0
    pool = f"{socket.gethostname()}:{os.getppid()}"
    publisher = FunctionPublisher(
        engine,
        registry.pool_name(config.functions),
        lambda known: CodeWatcher(interpreter, config.functions, known, declared_schedule_problem, config.limits),
    )
    while not stopping.is_set():
        try:
            publisher.update()
            recovery.recover_lines(engine, config.spool_folder)
            if time.monotonic() >= snapshot_at:
                snapshot_at = time.monotonic() + sandbox_snapshots.INTERVAL_S
                _store_snapshots(engine, clock, pool, snapshots)
            if time.monotonic() >= clean_at:
                clean_at = time.monotonic() + CLEANING_INTERVAL_S
                process_tree.kill_abandoned()
                clock.refresh(engine)
                cleaner.remove_working_directories(engine, clock, config.work_folder)
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning("housekeeping failed", extra={"error": error_summary(error)})
        except OSError as error:
            log.warning("housekeeping failed", extra={"error": str(error)})
        stopping.wait(INTERVAL_S)


def _store_snapshots(engine: Engine, clock: Clock, pool: str, snapshots: SnapshotChannel) -> None:
    """Store the newest snapshot, with memory. A walk over all descendants is too slow for the pool itself."""
    latest = snapshots.receive_latest()
    if latest is None:
        return
    clock.refresh(engine)
    measured = [each | {"memory_mb": round(process_tree.resident_mb(each["pid"]), 1)} for each in latest]
    sandbox_snapshots.store_snapshots(engine, pool, measured, clock.now())


def run_process(config: PoolConfig, interpreter: Interpreter, snapshots: SnapshotChannel) -> None:
    """Run the housekeeping as a process, until SIGTERM."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_housekeeping(config, interpreter, stopping, snapshots)
