"""Define the errors that user code raises to end or retry its request, and the error for wrong use of the SDK."""

from __future__ import annotations

MAX_DELAY_S = 366 * 24 * 3600.0


class LocalfnError(Exception):
    """Report a wrong use of the SDK; the base of its other errors. The message names the value, and what to use."""


class ValidationError(LocalfnError):
    """Reject the event: the request fails with `error_type` "ValidationError" and is never retried.

    Raise it in a validate hook or in the function::

        raise ValidationError("month: '2026-13' is not a month; use YYYY-MM")
    """


class Fail(LocalfnError):
    """End the request as failed now, even if attempts are left. Example: `raise Fail("the account is closed")`."""


class Retry(LocalfnError):
    """Ask for another attempt; the request fails if none is left.

    message: text, stored as the error message of this attempt.
    delay_s: seconds until the next attempt, from 0 to 366 days; None: the function's own backoff.

    Raises LocalfnError for another delay. Example::

        raise Retry("the API is busy", delay_s=30)
    """

    def __init__(self, message: str = "another attempt was requested", *, delay_s: float | None = None) -> None:
        super().__init__(message)
        is_number = isinstance(delay_s, (int, float)) and not isinstance(delay_s, bool)
        if delay_s is not None and not (is_number and 0 <= delay_s <= MAX_DELAY_S):
            raise LocalfnError(f"Retry(delay_s={delay_s!r}): use a number of seconds from 0 to {MAX_DELAY_S:.0f}")
        self.delay_s = delay_s
