"""Handle faults of the infrastructure, which use up none of the function's attempts.

The request is given back with growing delays, for about a quarter of an hour.
"""

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from schema.statuses import Phase
from workqueue.backoff import Backoff
from workqueue.files.store import StorageError, StoredFile
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.context import ExecutionContext
from workqueue.outcomes import AttemptEndedError, FunctionFailedError, NoSandboxError, NoStorageError

log = logging.getLogger(__name__)

Found = TypeVar("Found")

BACKOFF = Backoff(2.0, 60.0)  # between attempts
MAX_TRIES = 20  # about a quarter of an hour; then the request fails
MAX_STORE_S = 60.0  # how long a result waits for the file store before the request runs again
STORE_PAUSE_S = 1.0
MACHINE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE})


def sandbox_unavailable(attempt: Attempt, why: str) -> NoSandboxError:
    """Return the outcome for a sandbox that could not start. why: the cause, as a sentence."""
    return _retry_later(attempt, NoSandboxError(f"No sandbox could be started: {why}"))


def storage_unavailable(attempt: Attempt, error: OSError) -> NoStorageError:
    """Return the outcome for a fault of the disk or the file store."""
    return _retry_later(attempt, NoStorageError(f"Files could not be read or written: {error}"))


def upload_missing(file: StoredFile) -> AttemptEndedError:
    """Return the failure for a missing upload: no retry can bring it back."""
    end = FunctionFailedError(
        f"The uploaded file {file.filename!r} is no longer in the file store; submit the request again.",
        error_type="InputFileMissing",
    )
    end.may_retry = False
    return end


def is_machine_fault(error: OSError) -> bool:
    """Return whether the disk or the store is at fault, rather than the file that user code named."""
    return isinstance(error, StorageError) or error.errno in MACHINE_ERRNOS


def retry_storage(context: ExecutionContext, attempt: Attempt, store: Callable[[], Found]) -> Found:
    """Call `store` until it does not fail for a fault of the machine.

    Raises the attempt's interruption, NoStorageError after a minute, and every other error of `store`.
    """
    ends_at = time.monotonic() + MAX_STORE_S
    while True:
        try:
            return store()
        except OSError as error:
            if not is_machine_fault(error):
                raise
            if attempt.interruption is not None:
                raise attempt.interruption from None
            if time.monotonic() >= ends_at or context.given_up.is_set():
                raise storage_unavailable(attempt, error) from None
            log.warning("file not stored; retrying", extra=attempt.log_fields() | {"error": str(error)})
        context.given_up.wait(STORE_PAUSE_S)


End = TypeVar("End", bound=AttemptEndedError)


def _retry_later(attempt: Attempt, end: End) -> End:
    """Set delay and retry permission of an outcome."""
    must_not_repeat = attempt.claim.on_lost == "fail" and attempt.phase != Phase.VALIDATE
    end.delay_s = BACKOFF.delay_s(attempt.claim.attempt)
    end.may_retry = attempt.claim.attempt < MAX_TRIES and not must_not_repeat
    return end
