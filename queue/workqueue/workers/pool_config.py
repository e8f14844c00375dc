"""The configuration of a worker pool."""

from dataclasses import dataclass
from pathlib import Path

from workqueue.files.disk_space import Disk
from workqueue.files.store import FileStore
from workqueue.functions.code_watcher import Limits
from workqueue.sandboxes.unix_user import UnixUser
from workqueue.workers.autoscaler import Bounds


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Times in seconds, sizes in bytes; the folders exist. account: as in `Interpreter`."""

    database_url: str
    redis_url: str
    queues: tuple[str, ...]
    bounds: Bounds
    lease_s: float
    grace_s: float
    max_result_bytes: int
    work_folder: Path
    spool_folder: Path
    store: FileStore
    disk: Disk
    functions: tuple[str, ...]
    limits: Limits
    traces: bool = False
    account: UnixUser | None = None
