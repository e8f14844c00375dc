"""The closed set of outcomes of an attempt that did not complete. Docstrings are messages that clients see."""

from typing import ClassVar

from schema.statuses import Outcome


class AttemptEndedError(Exception):
    """An attempt ended without a result."""

    outcome: ClassVar[Outcome] = Outcome.FAILED
    is_failure: ClassVar[bool] = True  # counts against the function's max_attempts
    may_retry: bool = True

    def __init__(self, message: str = "", *, error_type: str | None = None, traceback: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().split("\n")[0])
        self.error_type = error_type or type(self).__name__.removesuffix("Error")
        self.traceback = traceback
        self.delay_s: float | None = None


class FunctionFailedError(AttemptEndedError):
    """User code raised an exception; its class is the error type."""


class InvalidError(AttemptEndedError):
    """The event was rejected in phase validate; never retried."""

    outcome = Outcome.INVALID
    may_retry = False


class TimedOutError(AttemptEndedError):
    """The deadline passed; the sandbox was killed."""

    outcome = Outcome.TIMED_OUT


class OutOfMemoryError(AttemptEndedError):
    """The memory limit was passed; the sandbox was killed."""

    outcome = Outcome.KILLED


class SandboxExitedError(AttemptEndedError):
    """The sandbox ended by itself."""

    outcome = Outcome.KILLED


class CancelledError(AttemptEndedError):
    """The request was cancelled."""

    outcome = Outcome.CANCELLED
    is_failure = False
    may_retry = False


class NoSandboxError(AttemptEndedError):
    """No sandbox could be started; the request was given back and is tried again later."""

    outcome = Outcome.GIVEN_BACK
    is_failure = False


class NoStorageError(AttemptEndedError):
    """Files could not be read or written; the request was given back and is tried again later."""

    outcome = Outcome.GIVEN_BACK
    is_failure = False


class LostWorkError(AttemptEndedError):
    """The worker was stopped after the function had begun, and it must never start twice (on_lost="fail")."""

    outcome = Outcome.LOST
    is_failure = False
    may_retry = False

    def __init__(self) -> None:
        super().__init__(error_type="WorkerLost")


class StoppingError(AttemptEndedError):
    """The worker was stopped before the request was done; it was given back."""

    outcome = Outcome.GIVEN_BACK
    is_failure = False


class RecalledError(Exception):
    """The sandbox will not start this request, which was sent together with others; it may be sent again."""
