"""The configuration of a worker pool."""

from dataclasses import dataclass
from pathlib import Path

from workqueue.files.disk_space import Disk
from workqueue.files.store import FileStore
from workqueue.functions.code_watcher import Limits
from workqueue.sandboxes.unix_user import UnixUser


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Times in seconds, sizes in bytes; the folders exist. account: as in `Interpreter`.

    workers: processes. concurrency: the most requests that all of them run at the same time.
    """

    database_url: str
    redis_url: str
    queues: tuple[str, ...]
    workers: int
    concurrency: int
    cores: int
    lease_s: float
    grace_s: float
    max_result_bytes: int
    work_folder: Path
    spool_folder: Path
    run_folder: Path
    store: FileStore
    disk: Disk
    functions: tuple[str, ...]
    limits: Limits
    traces: bool = False
    account: UnixUser | None = None

    @property
    def slots(self) -> int:
        """Return the most requests that one worker runs at the same time."""
        return -(-self.concurrency // self.workers)
