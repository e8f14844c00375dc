"""Decide when a pool may start its next process."""

import logging
import time

from workqueue.backoff import Backoff

log = logging.getLogger(__name__)

FIRST_DELAY_S, MAX_DELAY_S = 0.1, 5.0  # before a process that died at once is replaced
HEALTHY_S = 5.0  # a process that ran this long did not die of its start, and is replaced at once
NO_RESOURCES_S = 1.0  # before the next try when the machine is out of processes, memory or descriptors


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

    def newest_s(self) -> float:
        """Return the seconds since the last start of a process that still runs."""
        return time.monotonic() - max(self._started_at.values(), default=0.0)

    def record_start(self, name: str) -> None:
        """Record a started process."""
        self._started_at[name] = time.monotonic()
        self._has_no_resources = False

    def record_exit(self, name: str) -> None:
        """Delay the next start, with backoff, if the process died soon after its start."""
        lived_s = time.monotonic() - self._started_at.pop(name)
        if lived_s >= HEALTHY_S:
            self._backoff.reset()
        delay_s = self._backoff.next_s() if lived_s < HEALTHY_S else 0.0
        self._next_at = time.monotonic() + delay_s

    def record_no_resources(self, error: OSError) -> None:
        """Delay the next start while the machine is out of resources; log it once. Running processes continue."""
        self._next_at = time.monotonic() + NO_RESOURCES_S
        if not self._has_no_resources:
            self._has_no_resources = True
            log.warning("process not started; retried", extra={"error": str(error)})
