"""The process that watches the functions' code on this machine and publishes what it finds."""

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
from workqueue.heartbeats import sandbox_snapshots
from workqueue.heartbeats.sandbox_snapshots import SnapshotChannel
from workqueue.logs import recovery
from workqueue.maintenance import cleaner
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules.declarations import declared_schedule_problem
from workqueue.workers.config import PoolConfig

log = logging.getLogger(__name__)

EVERY_S = 0.5  # a change is promised to be seen within 2 s
SWEEP_EVERY_S = 10.0


def run_housekeeping(
    config: PoolConfig, interpreter: Interpreter, stopping: threading.Event, notes: SnapshotChannel
) -> None:
    """Looks at the code twice a second until `stopping` is set; an outage of the database delays it.

    Beside that it stores what lost workers of this machine had read and not stored, removes the working directories
    that they left, and stores what the pool notes of its sandboxes.
    """
    engine, clock = make_engine(config.database_url, pool_size=1), Clock()
    sweep_at = note_at = 0.0
    pool = f"{socket.gethostname()}:{os.getppid()}"
    watcher: CodeWatcher | None = None
    unpublished = False
    while not stopping.is_set():
        try:
            if watcher is None:
                watcher = CodeWatcher(
                    interpreter, config.functions, registry.read_registry(engine), declared_schedule_problem
                )
            unpublished = watcher.refresh() or unpublished
            if unpublished:
                registry.publish(engine, watcher.registry)
                unpublished = False
            recovery.recover_lines(engine, config.spool_folder)
            if time.monotonic() >= note_at:
                note_at = time.monotonic() + sandbox_snapshots.INTERVAL_S
                _store_notes(engine, clock, pool, notes)
            if time.monotonic() >= sweep_at:
                sweep_at = time.monotonic() + SWEEP_EVERY_S
                process_tree.kill_abandoned()
                clock.refresh(engine)
                cleaner.remove_working_directories(engine, clock, config.work_folder)
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning("functions and sandboxes could not be published", extra={"error": error_summary(error)})
        except OSError as error:
            log.warning("files could not be read", extra={"error": str(error)})
        stopping.wait(EVERY_S)


def _store_notes(engine: Engine, clock: Clock, pool: str, notes: SnapshotChannel) -> None:
    """Memory is measured here: to ask for all children of a process takes a while, and the pool has none to spare."""
    found = notes.receive_latest()
    if found is None:
        return
    clock.refresh(engine)
    measured = [note | {"memory_mb": round(process_tree.resident_mb(note["pid"]), 1)} for note in found]
    sandbox_snapshots.store_snapshots(engine, pool, measured, clock.now())


def run_process(config: PoolConfig, interpreter: Interpreter, notes: SnapshotChannel) -> None:
    """`watch` as a process of its own: ends with SIGTERM."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_housekeeping(config, interpreter, stopping, notes)
