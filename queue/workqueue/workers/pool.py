"""The worker pool of one machine: an RQ WorkerPool whose parent process also keeps the sandboxes."""

import gc
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from secrets import token_hex
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from schema.engine import make_engine, preload
from workqueue.backoff import Backoff
from workqueue.heartbeats.sandbox_snapshots import SnapshotChannel
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.pool import SandboxPool
from workqueue.sandboxes.pool_protocol import PoolConnection
from workqueue.sandboxes.prctl import adopt_orphans, die_with_parent
from workqueue.sandboxes.process import wait_for_exit
from workqueue.workers import autoscaler, housekeeper, worker_main
from workqueue.workers.autoscaler import CpuMonitor, Load
from workqueue.workers.config import PoolConfig
from workqueue.workers.forking import Member, fork
from workqueue.workers.startup import Startup, WorkersFailError
from workqueue.workers.worker import END_GRACE, Worker

log = logging.getLogger(__name__)

TICK_S = 0.05  # how often workers are counted, and the dead replaced
CHORES_S = 1.0  # how often idle sandboxes and strays are looked for
FIRST_DELAY_S, MAX_DELAY_S = 0.1, 5.0  # before a process that died at once is replaced
HEALTHY_S = 5.0  # a process that ran this long did not die of its start, and is replaced at once
SHORT_S = 1.0  # before a machine that had no room for another process is asked again
SCOUT = "scout"
SCOUT_END_S = 3.0  # it may be importing a module


class Pool(WorkerPool):
    """Starts workers by forking itself, replaces the dead, and serves them sandboxes in between.

    It runs no thread and its only connection asks Redis for lengths, so that a fork is safe at any time.
    """

    def __init__(
        self, config: PoolConfig, interpreter: Interpreter, tell_ready: Callable[[], None] | None = None
    ) -> None:
        """tell_ready: as in Startup."""
        super().__init__(
            list(config.queues),
            connection=Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=1),
            num_workers=config.bounds.minimum,
            worker_class=Worker,
            serializer=JSONSerializer,
        )
        self.config = config
        self.interpreter = interpreter
        self.host = SandboxPool(interpreter, max_idle=config.bounds.maximum)
        self._selector = selectors.DefaultSelector()
        self._engine = make_engine(config.database_url, pool_size=2, max_overflow=1, prefer_index_scans=True)
        self._gauges: dict[str, WorkerActivity] = {}
        self._processors = CpuMonitor()
        self._notes = SnapshotChannel()
        self.worker_dict: dict[str, Member] = {}  # type: ignore[assignment]  # RQ reads the same fields
        self._scout: Member | None = None
        self._startup = Startup(config.bounds.minimum, tell_ready)
        self._can_run = True  # the interpreter of the functions, as far as is known
        self._is_hurried = False
        self._is_short = False  # of room for another process
        self._started_at: dict[str, float] = {}
        self._backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        self._start_again_at = 0.0

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, and then until every worker has ended.

        An error ends the process at once, to be started again: an ordinary exit would first wait for the workers.
        """
        try:
            self._run()
        except WorkersFailError as error:
            log.error("the pool ends", extra={"error": str(error)})
        except BaseException:
            log.exception("the pool ends")
        else:
            return
        self.host.close()
        os._exit(1)

    def _run(self) -> None:
        preload(self._engine)
        gc.collect()
        gc.freeze()  # what is loaded now stays shared with the forked workers
        self.status = self.Status.STARTED
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)
        adopt_orphans()
        self._prepare_interpreter()
        bounds, queues = self.config.bounds, ",".join(self.config.queues)
        log.info("working", extra={"queues": queues, "workers": f"{bounds.minimum}-{bounds.maximum}"})
        look_at = chores_at = 0.0
        while self.status != self.Status.STOPPED or self.worker_dict:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + TICK_S
                self._look_after_processes()
            for key, _ in self._selector.select(max(0.0, look_at - time.monotonic())):
                self._serve(key.data)
            if time.monotonic() >= chores_at:
                chores_at = time.monotonic() + CHORES_S
                self._do_chores()
        self._end_scout()
        self._notes.close()
        self.host.close()

    def start_worker(self, *_: Any, **__: Any) -> None:
        """Start one, with a line to the sandbox host, and a name that tells a person where it runs.

        Raises OSError when there is no room for it; nothing is left of it then.
        """
        name = f"{socket.gethostname()}-{token_hex(4)}"
        with ExitStack() as made:
            activity = made.enter_context(closing(WorkerActivity()))
            ours, theirs = map(made.enter_context, socket.socketpair())
            # Registered before the fork: the child closes every line that it finds here, this one too.
            self._selector.register(ours, selectors.EVENT_READ, PoolConnection(name, ours, self.host))
            made.callback(self._selector.unregister, ours)
            life = partial(worker_main.run_worker, self.config, self._engine, name, theirs, activity)
            self.worker_dict[name] = self._fork(name, life)
            made.pop_all()
        self._gauges[name] = activity
        theirs.close()

    def reap_workers(self) -> None:
        """Like RQ's, without waiting a tenth of a second for each that lives."""
        for data in list(self.worker_dict.values()):
            if data.process.poll() is not None:
                self.handle_dead_worker(data)

    def handle_dead_worker(self, worker_data: Member) -> None:  # type: ignore[override]
        super().handle_dead_worker(worker_data)  # type: ignore[arg-type]
        with closing(self._gauges.pop(worker_data.name)) as activity:
            if self.status != self.Status.STOPPED:
                self._startup.note_death(activity, worker_data.process.poll())
        self._note_death(worker_data)
        if status := worker_data.process.poll():  # it did not end by itself
            log.warning("a worker ended", extra={"worker": worker_data.name, "exit_status": status})

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Take SIGTERM or SIGINT: the workers may finish within their grace. A second one ends the grace."""
        self._is_hurried = self.status == self.Status.STOPPED
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def stop_worker(self, worker_data: Member, sig: signal.Signals = signal.SIGTERM) -> None:  # type: ignore[override]
        super().stop_worker(worker_data, sig)  # type: ignore[arg-type]
        if self._is_hurried:
            super().stop_worker(worker_data, END_GRACE)  # type: ignore[arg-type]

    def _look_after_processes(self) -> None:
        self.reap_workers()
        if self._can_run:
            self._startup.check(self._gauges.values())
        if self._scout is not None and self._scout.process.poll() is not None:
            self._note_death(self._scout)
            self._scout = None
        if self.status == self.Status.STOPPED or time.monotonic() < self._start_again_at:
            return
        try:
            self._fit_to_demand()
            if self._scout is None:
                self._scout = self._fork(
                    SCOUT, partial(housekeeper.run_process, self.config, self.interpreter, self._notes)
                )
        except OSError as error:
            self._wait_for_room(error)

    def _prepare_interpreter(self) -> None:
        """Start what forks sandboxes. While the interpreter does not run, requests wait, and the pool is not ready."""
        trouble = "" if self.host.zygote.prepare() else self.interpreter.find_problem()
        if trouble and self._can_run:
            log.error("functions cannot be run", extra={"python": self.interpreter.python, "error": trouble})
        self._can_run = not trouble

    def _do_chores(self) -> None:
        if not self._can_run:
            self._prepare_interpreter()
        self.host.end_stale()
        self.host.reap()
        self._notes.send(self.host.snapshot())
        known = {data.pid for data in self.worker_dict.values()} | self.host.pids()
        process_tree.kill_orphans(known | ({self._scout.pid} if self._scout else set()))
        if self.status == self.Status.STOPPED:
            # Again: one may have been too young to hear it the first time.
            self.stop_workers()  # type: ignore[no-untyped-call]

    def _fit_to_demand(self) -> None:
        """Starts workers while requests wait and there is something for more of them to do; stops those that idle."""
        read = {name: activity.read() for name, activity in self._gauges.items()}
        busy = [lasting_s for is_busy, lasting_s in read.values() if is_busy]
        idle = {name: lasting_s for name, (is_busy, lasting_s) in read.items() if not is_busy}
        bounds = self.config.bounds
        newest_s = time.monotonic() - max(self._started_at.values(), default=0.0)
        waiting = 0 if idle else self._waiting()
        load = Load(busy, len(idle), newest_s, waiting, self._processors.idle_count())
        for _ in range(autoscaler.to_start(load, bounds)):
            self.start_worker()
        for name in autoscaler.to_stop(idle, len(self.worker_dict), bounds):
            # Should it have taken a job this very moment, that bell is lost, and the reconciler rings again.
            self.stop_worker(self.worker_dict[name])

    def _waiting(self) -> int:
        try:
            return sum(queue.count for queue in self.queues)
        except RedisError:
            return 0  # nobody can take a job now anyway

    def _wait_for_room(self, error: OSError) -> None:
        """Descriptors, memory or processes are short: what there is works on, and growing is tried again. Told once."""
        self._start_again_at = time.monotonic() + SHORT_S
        if not self._is_short:
            self._is_short = True
            log.warning("no room for another process now; it is tried again", extra={"error": str(error)})

    def _note_death(self, data: Member) -> None:
        """Whoever dies of its start is started again after a pause that grows."""
        lived_s = time.monotonic() - self._started_at.pop(data.name)
        if lived_s >= HEALTHY_S:
            self._backoff.reset()
        delay_s = self._backoff.next_s() if lived_s < HEALTHY_S else 0.0
        self._start_again_at = time.monotonic() + delay_s

    def _fork(self, name: str, life: Callable[[], None]) -> Member:
        born = fork(name, partial(self._begin, life))
        self._started_at[name] = time.monotonic()
        self._is_short = False
        return born

    def _begin(self, life: Callable[[], None]) -> None:
        """First in a forked child: lets go of what belongs to the pool."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # until it has handlers of its own; the pool's are not for it
        die_with_parent(signal.SIGTERM)
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()  # else neither side would notice the other's end
        self._selector.close()
        self.host.close_inherited()
        life()

    def _serve(self, connection: PoolConnection) -> None:
        if not connection.serve():
            self._selector.unregister(connection.socket)
            connection.close()

    def _end_scout(self) -> None:
        if self._scout is not None:
            os.kill(self._scout.pid, signal.SIGTERM)
            if wait_for_exit(self._scout.process, SCOUT_END_S) is None:
                os.kill(self._scout.pid, signal.SIGKILL)
