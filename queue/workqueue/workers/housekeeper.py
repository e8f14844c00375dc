"""The housekeeper process: publishes the functions of this machine, and cleans up after lost workers."""

import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Sequence

from redis import Redis
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.engine import make_engine
from schema.statuses import Status
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.database import error_summary
from workqueue.functions import registry
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.functions.publisher import FunctionPublisher
from workqueue.heartbeats.liveness import Liveness
from workqueue.heartbeats.session_names import Process, session_name
from workqueue.lifecycle import ExpiredLease
from workqueue.logs import recovery
from workqueue.maintenance import cleaner
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules.declarations import declared_schedule_problem
from workqueue.telemetry import make_observers, metric_store
from workqueue.telemetry.counters import Counters
from workqueue.transport.doorbell import Bell, Doorbell
from workqueue.workers.pool_config import PoolConfig

log = logging.getLogger(__name__)

INTERVAL_S = 0.5  # docs promise that a code change is visible within 2 s
CLEANING_INTERVAL_S = 10.0
MAX_TURN_S = 300.0  # of the loop: it imports changed functions, each for up to a minute
MAX_NAME_BYTES = 512


class DeathNotices:
    """The names of dead workers, from a pool to its housekeeper. They wait while no housekeeper runs."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._receiver, self._sender):
            end.setblocking(False)

    def send(self, worker: str) -> None:
        """Tell the housekeeper that a worker has died."""
        try:
            self._sender.send(worker.encode())
        except OSError as error:  # the buffer is full: the leases expire
            log.warning("death of a worker not told", extra={"worker": worker, "error": str(error)})

    def wait(self, timeout_s: float) -> list[str]:
        """Wait for names, and return them; return none after the timeout."""
        found = []
        if select.select([self._receiver], [], [], timeout_s)[0]:
            try:
                while True:
                    found.append(self._receiver.recv(MAX_NAME_BYTES).decode())
            except BlockingIOError:
                pass
        return found

    def close(self) -> None:
        self._receiver.close()
        self._sender.close()


class Housekeeper:
    """Run the steps of the housekeeping. Outages of PostgreSQL delay them."""

    def __init__(self, config: PoolConfig, interpreter: Interpreter) -> None:
        self._config = config
        name = session_name(Process.HOUSEKEEPER)
        self._engine = make_engine(config.database_url, pool_size=1, max_overflow=0, application_name=name)
        self._clock = Clock()
        self._doorbell = Doorbell(Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=1))
        self._counters = Counters()
        self._observers = make_observers(self._counters, "worker", traces=config.traces)
        self._publisher = FunctionPublisher(
            self._engine,
            registry.pool_name(config.functions),
            lambda known: CodeWatcher(interpreter, config.functions, known, declared_schedule_problem, config.limits),
        )
        self._dead: list[str] = []
        self._clean_at = 0.0

    def run_iteration(self, dead: Sequence[str]) -> None:
        """Do everything that is due. dead: workers that have died since the last iteration."""
        self._dead += dead
        try:
            while self._dead:
                self._give_back(self._dead[0])
                del self._dead[0]
            self._publisher.update()
            recovery.recover_lines(self._engine, self._config.spool_folder)
            if time.monotonic() >= self._clean_at:
                self._clean_at = time.monotonic() + CLEANING_INTERVAL_S
                self._clean()
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning("housekeeping failed", extra={"error": error_summary(error)})
        except OSError as error:
            log.warning("housekeeping failed", extra={"error": str(error)})

    def _give_back(self, worker: str) -> None:
        """Give back the requests of a worker whose process has ended, and ring for them."""
        self._clock.refresh(self._engine)
        now = self._clock.now()
        while ended := lifecycle.end_leases_of(self._engine, worker, now):
            bells = [_bell(lease) for lease in ended if lease.status is Status.PENDING]
            if bells and self._doorbell.ring(bells):
                lifecycle.mark_rung(self._engine, bells, now)
            for lease in ended:
                log.warning("worker lost", extra=lease.log_fields())
            self._doorbell.announce_all([lease.request_id for lease in ended])
            self._observers.on_lost(ended, now)
        metric_store.flush(self._engine, self._counters)

    def _clean(self) -> None:
        process_tree.kill_abandoned()
        self._clock.refresh(self._engine)
        cleaner.remove_working_directories(self._engine, self._clock, self._config.work_folder)


def _bell(lease: ExpiredLease) -> Bell:
    return Bell(lease.request_id, lease.attempt + 1, lease.queue, lease.function_name)


def run_process(config: PoolConfig, interpreter: Interpreter, notices: DeathNotices) -> None:
    """Run the housekeeping as a process, until SIGTERM."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    housekeeper = Housekeeper(config, interpreter)
    liveness = Liveness(config.run_folder, "housekeeper", MAX_TURN_S)
    dead: list[str] = []
    while not stopping.is_set():
        liveness.record()
        housekeeper.run_iteration(dead)
        dead = notices.wait(INTERVAL_S)
    liveness.close()
