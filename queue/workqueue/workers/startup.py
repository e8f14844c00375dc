"""The first workers of a pool: one begins to look for work, or all die and the pool ends with the reason."""

from collections.abc import Callable, Iterable

from workqueue.errors import WorkqueueError
from workqueue.heartbeats.worker_activity import WorkerActivity


class WorkersFailError(WorkqueueError):
    """The pool has no worker that could serve a request, and will have none."""


class Startup:
    """minimum: workers of an idle pool. tell_ready: called once, when the first worker has begun."""

    def __init__(self, minimum: int, tell_ready: Callable[[], None] | None) -> None:
        self._minimum, self._tell_ready = minimum, tell_ready
        self._is_over = False
        self._reasons: list[str] = []

    def check(self, gauges: Iterable[WorkerActivity]) -> None:
        """Find out whether one has begun."""
        if not self._is_over and any(activity.has_started() for activity in gauges):
            self._is_over = True
            if self._tell_ready is not None:
                self._tell_ready()

    def note_death(self, activity: WorkerActivity, status: int | None) -> None:
        """Take note of a worker that died. Raise WorkersFailError when the next ones would die as well."""
        if self._is_over or activity.has_started():
            return
        self._reasons.append(activity.failure() or f"exit status {status}")
        if len(self._reasons) > self._minimum:
            raise WorkersFailError(f"every worker dies at its start: {self._reasons[0]}")
