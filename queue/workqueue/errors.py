"""Errors between the HTTP layer and the sandbox. The docstring of a class is its default message."""


class WorkqueueError(Exception):
    """Something went wrong in the work queue."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class UnknownFunctionError(WorkqueueError):
    """There is no function of this name."""


class UnknownRequestError(WorkqueueError):
    """There is no request with this id."""


class UnknownQueueError(WorkqueueError):
    """There is no queue of this name."""


class NotAllowedNowError(WorkqueueError):
    """The request's status does not allow this."""


class KeyReusedError(WorkqueueError):
    """The Idempotency-Key was used with another body."""


class BadEventError(WorkqueueError):
    """The event is not acceptable JSON."""


class EventTooLargeError(WorkqueueError):
    """The event is larger than LOCALFN_MAX_EVENT_BYTES allows."""


class DuplicateFunctionError(WorkqueueError):
    """Two functions have the same name."""


class LeaseLostError(WorkqueueError):
    """The lease is lost: another attempt may be running, so nothing may be written."""


class SandboxPoolLostError(WorkqueueError):
    """The process that keeps the sandboxes has ended: this worker gives its request back and exits."""


class UnknownScheduleError(WorkqueueError):
    """There is no schedule of this name."""


class ScheduleExistsError(WorkqueueError):
    """There is a schedule of this name already."""


class DeclaredScheduleError(WorkqueueError):
    """The schedule is declared in code and would be created again: remove it there, or disable it."""


class BadExpressionError(WorkqueueError):
    """The schedule's expression cannot be read."""


class UnknownZoneError(WorkqueueError):
    """There is no time zone of this name."""


class BadScheduleError(WorkqueueError):
    """A schedule has invalid fields. errors: one entry per field, {"field", "detail"}."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['field']}: {error['detail']}" for error in errors))
        self.errors = errors


class UnknownUserError(WorkqueueError):
    """There is no user of this name."""


class UserExistsError(WorkqueueError):
    """There is a user of this name already."""


class LastAdminError(WorkqueueError):
    """No other admin could log in: create another admin first."""


class UnknownKeyError(WorkqueueError):
    """There is no such API key."""


class KeyExistsError(WorkqueueError):
    """There is an API key of this name already."""


class BadLoginError(WorkqueueError):
    """The name or the password is wrong."""


class TooManyLoginsError(WorkqueueError):
    """Too many logins failed. retry_after_s: whole seconds until the next one is checked."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many logins failed; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class BadAccessError(WorkqueueError):
    """A user or an API key has invalid fields. errors: one entry per field, {"field", "detail"}."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['field']}: {error['detail']}" for error in errors))
        self.errors = errors


class BucketMissingError(WorkqueueError):
    """The bucket of LOCALFN_FILES does not exist."""
