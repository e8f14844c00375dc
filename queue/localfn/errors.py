"""What user code raises to steer its request, and what the SDK raises at a wrong use of it."""

from __future__ import annotations

MAX_DELAY_S = 366 * 24 * 3600.0


class LocalfnError(Exception):
    """The SDK was used in a way that it does not support."""


class ValidationError(LocalfnError):
    """The event is not what the function takes; the request fails and is never retried."""


class Fail(LocalfnError):
    """The request fails now, whatever attempts are left."""


class Retry(LocalfnError):
    """Another attempt is asked for, after `delay_s` seconds or the function's own backoff."""

    def __init__(self, message: str = "another attempt was asked for", *, delay_s: float | None = None) -> None:
        super().__init__(message)
        is_number = isinstance(delay_s, (int, float)) and not isinstance(delay_s, bool)
        if delay_s is not None and not (is_number and 0 <= delay_s <= MAX_DELAY_S):
            raise LocalfnError(f"Retry(delay_s={delay_s!r}): use a number of seconds from 0 to {MAX_DELAY_S:.0f}")
        self.delay_s = delay_s
