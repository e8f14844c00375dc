"""The worker pool of one machine: an RQ WorkerPool whose parent process also owns the sandboxes."""

import gc
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from secrets import token_hex
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from schema.engine import make_engine, preload
from workqueue.heartbeats.sandbox_snapshots import SnapshotChannel
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.pool import SandboxPool
from workqueue.sandboxes.pool_connection import PoolConnection
from workqueue.sandboxes.prctl import adopt_orphans, die_with_parent
from workqueue.sandboxes.process import wait_for_exit
from workqueue.workers import autoscaler, housekeeper, worker_main
from workqueue.workers.autoscaler import CpuMonitor, Load
from workqueue.workers.forking import Member, fork
from workqueue.workers.pool_config import PoolConfig
from workqueue.workers.startup import StartDelay, Startup, WorkersFailError
from workqueue.workers.worker import END_GRACE, Worker

log = logging.getLogger(__name__)

SUPERVISE_S = 0.05  # interval of replacing dead processes and scaling
MAINTAIN_S = 1.0  # interval of ending stale sandboxes and orphans
HOUSEKEEPER = "housekeeper"
HOUSEKEEPER_STOP_S = 3.0  # it may be importing a module


class Pool(WorkerPool):
    """Fork workers, replace dead ones, and serve sandboxes to them.

    The pool has no threads, and its only connection reads queue lengths from Redis, so it can fork at any time.
    """

    def __init__(
        self, config: PoolConfig, interpreter: Interpreter, tell_ready: Callable[[], None] | None = None
    ) -> None:
        """tell_ready: as in `Startup`."""
        super().__init__(
            list(config.queues),
            connection=Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=1),
            num_workers=config.bounds.minimum,
            worker_class=Worker,
            serializer=JSONSerializer,
        )
        self.config = config
        self.interpreter = interpreter
        self.sandboxes = SandboxPool(interpreter, max_idle=config.bounds.maximum)
        self._selector = selectors.DefaultSelector()
        self._engine = make_engine(config.database_url, pool_size=2, max_overflow=1, prefer_index_scans=True)
        self._activities: dict[str, WorkerActivity] = {}
        self._cpu = CpuMonitor()
        self._snapshots = SnapshotChannel()
        self.worker_dict: dict[str, Member] = {}  # type: ignore[assignment]  # RQ reads the same fields
        self._housekeeper: Member | None = None
        self._startup = Startup(config.bounds.minimum, tell_ready)
        self._can_run = True  # the interpreter runs, until a start fails
        self._is_hurried = False
        self._start_delay = StartDelay()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, and then until every worker has ended.

        An error ends the process at once, so that it is started again: a normal exit would first wait for the workers.
        """
        try:
            self._run()
        except WorkersFailError as error:
            log.error("pool failed", extra={"error": str(error)})
        except BaseException:
            log.exception("pool failed")
        else:
            return
        self.sandboxes.close()
        os._exit(1)

    def _run(self) -> None:
        preload(self._engine)
        gc.collect()
        gc.freeze()  # keep the loaded modules shared with the forked workers
        self.status = self.Status.STARTED
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)
        adopt_orphans()
        self._prepare_interpreter()
        bounds, queues = self.config.bounds, ",".join(self.config.queues)
        log.info("pool started", extra={"queues": queues, "workers": f"{bounds.minimum}-{bounds.maximum}"})
        supervise_at = maintain_at = 0.0
        while self.status != self.Status.STOPPED or self.worker_dict:
            if time.monotonic() >= supervise_at:
                supervise_at = time.monotonic() + SUPERVISE_S
                self._supervise()
            for key, _ in self._selector.select(max(0.0, supervise_at - time.monotonic())):
                self._serve(key.data)
            if time.monotonic() >= maintain_at:
                maintain_at = time.monotonic() + MAINTAIN_S
                self._maintain()
        self._stop_housekeeper()
        self._snapshots.close()
        self.sandboxes.close()

    def start_worker(self, *_: Any, **__: Any) -> None:
        """Start a worker, connected to the sandbox pool, with a name that contains the host's.

        Raises OSError when the machine is out of resources, and leaves nothing behind then.
        """
        name = f"{socket.gethostname()}-{token_hex(4)}"
        with ExitStack() as stack:
            activity = stack.enter_context(closing(WorkerActivity()))
            parent, child = map(stack.enter_context, socket.socketpair())
            # Registered before the fork: the child closes every socket that it finds here, this one too.
            self._selector.register(parent, selectors.EVENT_READ, PoolConnection(name, parent, self.sandboxes))
            stack.callback(self._selector.unregister, parent)
            main = partial(worker_main.run_worker, self.config, self._engine, name, child, activity)
            self.worker_dict[name] = self._fork(name, main)
            stack.pop_all()
        self._activities[name] = activity
        child.close()

    def reap_workers(self) -> None:
        """Reap dead workers. RQ's own method waits 0.1 s for each living one."""
        for data in list(self.worker_dict.values()):
            if data.process.poll() is not None:
                self.handle_dead_worker(data)

    def handle_dead_worker(self, worker_data: Member) -> None:  # type: ignore[override]
        super().handle_dead_worker(worker_data)  # type: ignore[arg-type]
        with closing(self._activities.pop(worker_data.name)) as activity:
            if self.status != self.Status.STOPPED:
                self._startup.record_death(activity, worker_data.process.poll())
        self._start_delay.record_exit(worker_data.name)
        if status := worker_data.process.poll():
            log.warning("worker process ended", extra={"worker": worker_data.name, "exit_status": status})

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Stop the workers after SIGTERM or SIGINT; a second signal ends their grace period."""
        self._is_hurried = self.status == self.Status.STOPPED
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def stop_worker(self, worker_data: Member, sig: signal.Signals = signal.SIGTERM) -> None:  # type: ignore[override]
        super().stop_worker(worker_data, sig)  # type: ignore[arg-type]
        if self._is_hurried:
            super().stop_worker(worker_data, END_GRACE)  # type: ignore[arg-type]

    def _supervise(self) -> None:
        self.reap_workers()
        if self._can_run:
            self._startup.check(self._activities.values())
        if self._housekeeper is not None and self._housekeeper.process.poll() is not None:
            self._start_delay.record_exit(self._housekeeper.name)
            self._housekeeper = None
        if self.status == self.Status.STOPPED or not self._start_delay.is_over():
            return
        try:
            self._scale()
            if self._housekeeper is None:
                self._housekeeper = self._fork(
                    HOUSEKEEPER, partial(housekeeper.run_process, self.config, self.interpreter, self._snapshots)
                )
        except OSError as error:
            self._start_delay.record_no_resources(error)

    def _prepare_interpreter(self) -> None:
        """Start the zygote. While the interpreter does not run, requests wait, and the pool is not ready."""
        problem = "" if self.sandboxes.zygote.prepare() else self.interpreter.find_problem()
        if problem and self._can_run:
            log.error("interpreter failed", extra={"python": self.interpreter.python, "error": problem})
        self._can_run = not problem

    def _maintain(self) -> None:
        if not self._can_run:
            self._prepare_interpreter()
        self.sandboxes.end_stale()
        self.sandboxes.reap()
        self._snapshots.send(self.sandboxes.snapshot())
        known = {data.pid for data in self.worker_dict.values()} | self.sandboxes.pids()
        process_tree.kill_orphans(known | ({self._housekeeper.pid} if self._housekeeper else set()))
        if self.status == self.Status.STOPPED:
            # Repeated: a new worker may not have had its signal handler at the first time.
            self.stop_workers()  # type: ignore[no-untyped-call]

    def _scale(self) -> None:
        """Start workers while requests wait and more workers help; stop idle ones."""
        activities = {name: activity.read() for name, activity in self._activities.items()}
        busy = [duration_s for is_busy, duration_s in activities.values() if is_busy]
        idle = {name: duration_s for name, (is_busy, duration_s) in activities.items() if not is_busy}
        bounds = self.config.bounds
        newest_s = self._start_delay.newest_s()
        waiting = 0 if idle else self._count_waiting()
        load = Load(busy, len(idle), newest_s, waiting, self._cpu.idle_share())
        for _ in range(autoscaler.to_start(load, bounds)):
            self.start_worker()
        for name in autoscaler.to_stop(idle, len(self.worker_dict), bounds):
            # A bell that the worker takes at this moment is lost, and the reconciler rings again.
            self.stop_worker(self.worker_dict[name])

    def _count_waiting(self) -> int:
        try:
            return sum(queue.count for queue in self.queues)
        except RedisError:
            return 0  # no worker can take a job during the outage

    def _fork(self, name: str, main: Callable[[], None]) -> Member:
        child = fork(name, partial(self._run_child, main))
        self._start_delay.record_start(name)
        return child

    def _run_child(self, main: Callable[[], None]) -> None:
        """Run `main` in a forked child, after closing what belongs to the pool."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # until the child sets its own handlers
        die_with_parent(signal.SIGTERM)
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()  # else neither side would detect the end of the other
        with suppress(OSError):  # macOS: a fork has no kqueue, and CPython before 3.11.7 fails to close it
            self._selector.close()
        self.sandboxes.close_inherited()
        main()

    def _serve(self, connection: PoolConnection) -> None:
        if not connection.serve():
            self._selector.unregister(connection.socket)
            connection.close()

    def _stop_housekeeper(self) -> None:
        if self._housekeeper is not None:
            os.kill(self._housekeeper.pid, signal.SIGTERM)
            if wait_for_exit(self._housekeeper.process, HOUSEKEEPER_STOP_S) is None:
                os.kill(self._housekeeper.pid, signal.SIGKILL)
