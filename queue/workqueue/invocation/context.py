"""The execution context: the collaborators of a worker process, wired once at its start."""

import threading
from dataclasses import dataclass, field

from sqlalchemy import Engine

from workqueue.clock import Clock
from workqueue.files.disk_space import Disk
from workqueue.files.store import FileStore
from workqueue.files.working_directory import WorkingDirectory
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.invocation.batch_sizing import BatchSizer
from workqueue.logs.spool_file import SpoolFile
from workqueue.sandboxes.pool_connection import SandboxPoolClient
from workqueue.telemetry import Observers
from workqueue.telemetry.counters import Counters
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_status import RqStatusReporter


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """Hold the collaborators with which a worker process runs attempts.

    given_up: set when the grace period of a stop ends; from then on no write waits for an unavailable database.
    """

    worker: str
    queues: tuple[str, ...]
    engine: Engine
    doorbell: Doorbell
    rq_status: RqStatusReporter
    clock: Clock
    sandboxes: SandboxPoolClient
    store: FileStore
    working_directory: WorkingDirectory
    disk: Disk
    spool: SpoolFile
    activity: WorkerActivity
    lease_s: float
    counters: Counters = field(default_factory=Counters)
    observers: Observers = field(default_factory=Observers)
    batch_sizer: BatchSizer = field(default_factory=BatchSizer)
    given_up: threading.Event = field(default_factory=threading.Event)

    def release_idle(self) -> None:
        """Remove the working directory and release the sandbox that were kept for a next request.

        Raises SandboxPoolLostError.
        """
        self.working_directory.remove()
        self.sandboxes.release()
