"""Track the first workers of a pool: one becomes ready, or all die and the pool ends with the reason."""

from collections.abc import Callable, Iterable

from workqueue.errors import WorkqueueError
from workqueue.heartbeats.worker_activity import WorkerActivity
from workqueue.sandboxes.exits.exit_status import describe_exit


class WorkersFailError(WorkqueueError):
    """Every worker of the pool dies at its start."""


class Startup:
    """Report readiness once, and fail when no worker can start.

    minimum: the number of workers of an idle pool. tell_ready: called once, when the first worker is ready.
    """

    def __init__(self, minimum: int, tell_ready: Callable[[], None] | None) -> None:
        self._minimum, self._tell_ready = minimum, tell_ready
        self._has_started = False
        self._reasons: list[str] = []

    def check(self, activities: Iterable[WorkerActivity]) -> None:
        """Report readiness if a worker has started to wait for work."""
        if not self._has_started and any(activity.has_started() for activity in activities):
            self._has_started = True
            if self._tell_ready is not None:
                self._tell_ready()

    def record_death(self, activity: WorkerActivity, status: int | None) -> None:
        """Record a worker that died. Raise WorkersFailError when more have died than the pool starts with."""
        if self._has_started or activity.has_started():
            return
        self._reasons.append(activity.failure() or ("it ended" if status is None else f"it {describe_exit(status)}"))
        if len(self._reasons) > self._minimum:
            raise WorkersFailError(f"every worker died at its start: {self._reasons[0]}")
