"""The worker pool of one machine: an RQ WorkerPool that starts workers, replaces them, and ends those that hang."""

import gc
import logging
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from functools import partial
from secrets import token_hex
from types import FrameType
from typing import Any

from redis import Redis
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from schema.engine import make_engine, preload
from workqueue.heartbeats.liveness import Liveness
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.prctl import adopt_orphans, die_with_parent
from workqueue.sandboxes.process import wait_for_exit
from workqueue.workers import housekeeper, worker_main
from workqueue.workers.child_processes import Member, Watchdog, fork
from workqueue.workers.engine import END_GRACE
from workqueue.workers.housekeeper import DeathNotices
from workqueue.workers.pool_config import PoolConfig
from workqueue.workers.startup import StartDelay, Startup, WorkersFailError
from workqueue.workers.worker import Worker

log = logging.getLogger(__name__)

MAX_TURN_S = 10.0  # of the pool's loop, which waits for no server
IDLE_S, BUSY_S = 0.5, 0.05  # interval of the checks: while all is well, and while processes start, stop or hang
HOUSEKEEPER = "housekeeper"
HOUSEKEEPER_STOP_S = 3.0  # it may be importing a module


class Pool(WorkerPool):
    """Fork workers, replace dead ones, and kill those whose event loop stands still.

    The pool has no threads, and no connections, so it can fork at any time.
    """

    def __init__(
        self, config: PoolConfig, interpreter: Interpreter, tell_ready: Callable[[], None] | None = None
    ) -> None:
        """tell_ready: as in `Startup`."""
        super().__init__(
            list(config.queues),
            connection=Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=1),
            num_workers=config.workers,
            worker_class=Worker,
            serializer=JSONSerializer,
        )
        self.config = config
        self.interpreter = interpreter
        self.worker_dict: dict[str, Member] = {}  # type: ignore[assignment]  # RQ reads the same fields
        self._activities: dict[str, WorkerActivity] = {}
        self._notices = DeathNotices()
        self._housekeeper: Member | None = None
        self._startup = Startup(config.workers, tell_ready)
        self._is_hurried = False
        self._start_delay = StartDelay()
        self._watchdog = Watchdog()
        self._signals, self._signal_writer = os.pipe()  # a signal wakes the pool

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
        os._exit(1)

    def _run(self) -> None:
        preload(make_engine(self.config.database_url))
        gc.collect()
        gc.freeze()  # keep the loaded modules shared with the forked workers
        self.status = self.Status.STARTED
        for fd in (self._signals, self._signal_writer):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._signal_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that it wakes the pool
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)
        adopt_orphans()
        config = self.config
        fields = {"queues": ",".join(config.queues), "workers": config.workers, "concurrency": config.concurrency}
        log.info("pool started", extra=fields)
        liveness = Liveness(config.run_folder, "pool", MAX_TURN_S)
        while self.status != self.Status.STOPPED or self.worker_dict:
            liveness.record()
            is_calm = self._supervise()
            if select.select([self._signals], [], [], IDLE_S if is_calm else BUSY_S)[0]:
                os.read(self._signals, 4096)
        self._stop_housekeeper()
        self._notices.close()
        liveness.close()

    def start_worker(self, *_: Any, **__: Any) -> None:
        """Start a worker with a name that contains the host's.

        Raises OSError when the machine is out of resources, and leaves nothing behind then.
        """
        name = f"{socket.gethostname()}-{token_hex(4)}"
        activity = WorkerActivity()
        try:
            self.worker_dict[name] = self._fork(
                name, partial(worker_main.run_worker, self.config, self.interpreter, name, activity)
            )
        except OSError:
            activity.close()
            raise
        self._activities[name] = activity

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
        self._start_delay.record_exit(worker_data.name, worker_data.process.poll())
        self._watchdog.forget(worker_data.name)
        if status := worker_data.process.poll():
            log.warning("worker process ended", extra={"worker": worker_data.name, "exit_status": status})
        self._notices.send(worker_data.name)  # an outage may have kept it from releasing its requests

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Stop the workers after SIGTERM or SIGINT; a second signal ends their grace period."""
        self._is_hurried = self.status == self.Status.STOPPED
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def stop_worker(self, worker_data: Member, sig: signal.Signals = signal.SIGTERM) -> None:  # type: ignore[override]
        super().stop_worker(worker_data, sig)  # type: ignore[arg-type]
        if self._is_hurried:
            super().stop_worker(worker_data, END_GRACE)  # type: ignore[arg-type]

    def _supervise(self) -> bool:
        """Replace dead processes, and end those that hang. Return False if the next check is due soon."""
        self.reap_workers()
        self._startup.check(self._activities.values())
        for name in self._watchdog.hung(self.worker_dict.values(), self._activities):
            log.error("worker does not respond; killed", extra={"worker": name})
            os.kill(self.worker_dict[name].pid, signal.SIGKILL)
        if self._housekeeper is not None and (status := self._housekeeper.process.poll()) is not None:
            self._start_delay.record_exit(self._housekeeper.name, status)
            self._housekeeper = None
        process_tree.kill_orphans(self._pids())
        if self.status == self.Status.STOPPED:
            # Repeated: a new worker may not have had its signal handler at the first time.
            self.stop_workers()  # type: ignore[no-untyped-call]
            return False
        if self._start_delay.is_over():
            self._start_missing()
        is_whole = len(self.worker_dict) == self.config.workers and self._housekeeper is not None
        return is_whole and self._startup.is_ready and self._watchdog.is_calm

    def _start_missing(self) -> None:
        try:
            while len(self.worker_dict) < self.config.workers:
                self.start_worker()
            if self._housekeeper is None:
                self._housekeeper = self._fork(
                    HOUSEKEEPER, partial(housekeeper.run_process, self.config, self.interpreter, self._notices)
                )
        except OSError as error:
            self._start_delay.record_no_resources(error)

    def _fork(self, name: str, main: Callable[[], None]) -> Member:
        child = fork(name, partial(self._run_child, main))
        self._start_delay.record_start(name)
        return child

    def _run_child(self, main: Callable[[], None]) -> None:
        """Run `main` in a forked child, without what belongs to the pool."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)  # until the child sets its own handlers
        die_with_parent(signal.SIGTERM)
        os.close(self._signals)
        os.close(self._signal_writer)
        main()

    def _pids(self) -> set[int]:
        own = {self._housekeeper.pid} if self._housekeeper is not None else set()
        return own | {data.pid for data in self.worker_dict.values()}

    def _stop_housekeeper(self) -> None:
        if self._housekeeper is not None:
            os.kill(self._housekeeper.pid, signal.SIGTERM)
            if wait_for_exit(self._housekeeper.process, HOUSEKEEPER_STOP_S) is None:
                os.kill(self._housekeeper.pid, signal.SIGKILL)
