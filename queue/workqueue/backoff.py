"""Compute delays between tries. Pure: the caller waits."""

# 2.0 ** 1024 overflows; no delay needs more doublings than this.
MAX_DOUBLINGS = 60


class Backoff:
    """Delays that grow by a factor with each failure in a row, from `first_s` to `max_s`."""

    def __init__(self, first_s: float, max_s: float, factor: float = 2.0) -> None:
        self.first_s, self.max_s, self.factor = first_s, max_s, factor
        self._failures = 0

    def next_s(self) -> float:
        """Count one more failure, and return the delay after it."""
        self._failures += 1
        return self.delay_s(self._failures)

    def reset(self) -> None:
        """Start again at the first delay, after a success."""
        self._failures = 0

    def delay_s(self, failures: int) -> float:
        """Return the delay after this many failures in a row, counted from 1."""
        return min(self.first_s * self.factor ** min(failures - 1, MAX_DOUBLINGS), self.max_s)
