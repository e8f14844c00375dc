"""Faults of ours, not of the function: they use up no attempt.

It is tried again at growing distances, for a quarter of an hour.
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
MOST_TRIES = 20  # a quarter of an hour, then the request fails rather than wait for ever
STORE_LIMIT_S = 60.0  # what was computed waits so long for the file store before it is computed again
STORE_PAUSE_S = 1.0
OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE})


def sandbox_unavailable(attempt: Attempt, why: str) -> NoSandboxError:
    return _later(attempt, NoSandboxError(f"No sandbox could be started: {why}"))


def storage_unavailable(attempt: Attempt, error: OSError) -> NoStorageError:
    return _later(attempt, NoStorageError(f"Files could not be read or written: {error}"))


def upload_missing(file: StoredFile) -> AttemptEndedError:
    """Nothing will bring it back."""
    end = FunctionFailedError(
        f"The uploaded file {file.filename!r} is in the file store no more.", error_type="InputFileMissing"
    )
    end.may_retry = False
    return end


def is_machine_fault(error: OSError) -> bool:
    """Whether it is the disk's or the store's, and not of whoever named a file."""
    return isinstance(error, StorageError) or error.errno in OF_THE_MACHINE


def retry_storage(context: ExecutionContext, attempt: Attempt, store: Callable[[], Found]) -> Found:
    """Calls `store` until it does not fail for a fault of the machine's.

    Raises the attempt's interruption, NoStorageError after a minute, and what else `store` raises.
    """
    ends_at = time.monotonic() + STORE_LIMIT_S
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
            log.warning("a file cannot be stored; tried again", extra=attempt.log_fields() | {"error": str(error)})
        context.given_up.wait(STORE_PAUSE_S)


End = TypeVar("End", bound=AttemptEndedError)


def _later(attempt: Attempt, end: End) -> End:
    must_not_repeat = attempt.claim.on_lost == "fail" and attempt.phase != Phase.VALIDATE
    end.delay_s = BACKOFF.delay_s(attempt.claim.attempt)
    end.may_retry = attempt.claim.attempt < MOST_TRIES and not must_not_repeat
    return end
