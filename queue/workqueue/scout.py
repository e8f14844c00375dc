"""The process that watches the functions' code on this machine and publishes what it finds."""

import logging
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.session import make_engine
from workqueue import process_tree, registry, sweep
from workqueue.clock import Clock
from workqueue.discovery import Watcher
from workqueue.interpreter import Interpreter
from workqueue.persist import first_line

log = logging.getLogger(__name__)

EVERY_S = 0.5  # a change is promised to be seen within 2 s
SWEEP_EVERY_S = 10.0


def watch(
    database_url: str,
    interpreter: Interpreter,
    sources: Sequence[str],
    work_folder: Path,
    stopping: threading.Event,
) -> None:
    """Looks at the code twice a second until `stopping` is set; an outage of the database delays it.

    Now and then it removes working directories that lost workers left on this machine.
    """
    engine, clock = make_engine(database_url, pool_size=1), Clock()
    sweep_at = 0.0
    watcher: Watcher | None = None
    unpublished = False
    while not stopping.is_set():
        try:
            if watcher is None:
                watcher = Watcher(interpreter, sources, registry.read(engine))
            unpublished = watcher.look() or unpublished
            if unpublished:
                registry.publish(engine, watcher.registry)
                unpublished = False
            if time.monotonic() >= sweep_at:
                sweep_at = time.monotonic() + SWEEP_EVERY_S
                process_tree.end_ownerless()
                clock.refresh(engine)
                sweep.working_directories(engine, clock, work_folder)
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning("functions could not be published", extra={"error": first_line(error)})
        except OSError as error:
            log.warning("functions could not be read", extra={"error": str(error)})
        stopping.wait(EVERY_S)


def run(database_url: str, interpreter: Interpreter, sources: Sequence[str], work_folder: Path) -> None:
    """`watch` as a process of its own: ends with SIGTERM."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(database_url, interpreter, sources, work_folder, stopping)
