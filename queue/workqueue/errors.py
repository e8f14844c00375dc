"""What can go wrong between the HTTP edge and the sandbox. The class's sentence is the message."""


class WorkqueueError(Exception):
    """Something went wrong in the work queue."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class UnknownFunctionError(WorkqueueError):
    """There is no function of this name."""


class UnknownRequestError(WorkqueueError):
    """There is no request with this id."""


class NotAllowedNowError(WorkqueueError):
    """The request's status does not allow this."""


class KeyReusedError(WorkqueueError):
    """This Idempotency-Key was used with another body."""


class BadEventError(WorkqueueError):
    """The event is not acceptable JSON."""


class EventTooLargeError(WorkqueueError):
    """The event is larger than LOCALFN_MAX_EVENT_BYTES allows."""


class DuplicateFunctionError(WorkqueueError):
    """Two functions have the same name."""


class LeaseLostError(WorkqueueError):
    """The lease is lost: another attempt may be running, so nothing may be written."""


class SandboxHostLostError(WorkqueueError):
    """The process that keeps the sandboxes is gone: this worker must end, and its request be given back."""
