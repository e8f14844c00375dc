"""Watch the starts of a pool's processes: delay a start after an early death, and end a pool whose workers all die."""

import logging
import time
from collections.abc import Callable, Iterable

from workqueue.backoff import Backoff
from workqueue.errors import WorkqueueError
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes.exits.exit_status import describe_exit

log = logging.getLogger(__name__)

FIRST_DELAY_S, MAX_DELAY_S = 0.1, 5.0  # before a process that died at once is replaced
HEALTHY_S = 5.0  # a process that ran this long has started without a fault, and is replaced at once
KILLED_HEALTHY_S = 1.0  # the same for one that was killed: by an operator, the kernel, or the pool
NO_RESOURCES_S = 1.0  # before the next try when the machine is out of processes, memory or descriptors


class WorkersFailError(WorkqueueError):
    """Every worker of the pool dies at its start."""


class Startup:
    """Report readiness once, and fail when no worker can start.

    minimum: the number of workers. tell_ready: called once, when the first worker is ready.
    """

    def __init__(self, minimum: int, tell_ready: Callable[[], None] | None) -> None:
        self._minimum, self._tell_ready = minimum, tell_ready
        self.is_ready = False  # a worker has started to wait for work
        self._reasons: list[str] = []

    def check(self, activities: Iterable[WorkerActivity]) -> None:
        """Report readiness if a worker has started to wait for work."""
        if not self.is_ready and any(activity.has_started() for activity in activities):
            self.is_ready = True
            if self._tell_ready is not None:
                self._tell_ready()

    def record_death(self, activity: WorkerActivity, status: int | None) -> None:
        """Record a worker that died. Raise WorkersFailError when more have died than the pool starts with."""
        if self.is_ready or activity.has_started():
            return
        self._reasons.append(activity.failure() or ("it ended" if status is None else f"it {describe_exit(status)}"))
        if len(self._reasons) > self._minimum:
            raise WorkersFailError(f"every worker died at its start: {self._reasons[0]}")


class StartDelay:
    """The delay before the next start, from the starts and exits of the pool's processes."""

    def __init__(self) -> None:
        self._backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        self._started_at: dict[str, float] = {}
        self._next_at = 0.0
        self._has_no_resources = False

    def is_over(self) -> bool:
        """Return True if a process may be started now."""
        return time.monotonic() >= self._next_at

    def record_start(self, name: str) -> None:
        """Record a started process."""
        self._started_at[name] = time.monotonic()
        self._has_no_resources = False

    def record_exit(self, name: str, status: int | None) -> None:
        """Delay the next start, with backoff, if the process died soon after its start. status: negative if killed."""
        lived_s = time.monotonic() - self._started_at.pop(name)
        is_healthy = lived_s >= (KILLED_HEALTHY_S if status is not None and status < 0 else HEALTHY_S)
        if is_healthy:
            self._backoff.reset()
        self._next_at = time.monotonic() + (0.0 if is_healthy else self._backoff.next_s())

    def record_no_resources(self, error: OSError) -> None:
        """Delay the next start while the machine is out of resources; log it once. Running processes continue."""
        self._next_at = time.monotonic() + NO_RESOURCES_S
        if not self._has_no_resources:
            self._has_no_resources = True
            log.warning("process not started; retried", extra={"error": str(error)})
