"""Decide what follows an attempt that ended without a result: another attempt, or failure. Pure, but for the log.

This is the only place that counts attempts against the function's limit. Faults of the infrastructure use up none: the
request is given back with growing delays, for about a quarter of an hour.
"""

import errno
import logging
import random
from dataclasses import replace
from typing import TypeVar

from workqueue.backoff import Backoff
from workqueue.database import error_kind
from workqueue.files.store import StorageError, StoredFile
from workqueue.functions import retry_policy
from workqueue.invocation.attempt import Attempt
from workqueue.outcomes import (
    AttemptEndedError,
    FunctionFailedError,
    LostWorkError,
    NoSandboxError,
    NoStorageError,
    StoppingError,
)

log = logging.getLogger(__name__)

BACKOFF = Backoff(2.0, 60.0)  # between attempts
MAX_TRIES = 20  # about a quarter of an hour; then the request fails
MACHINE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE})

End = TypeVar("End", bound=AttemptEndedError)


def outcome_of(attempt: Attempt, error: BaseException) -> AttemptEndedError:
    """Return the outcome for any error, so that the request ends now rather than when its lease expires."""
    if isinstance(error, StoppingError):
        return LostWorkError() if attempt.must_not_repeat else error
    if isinstance(error, AttemptEndedError):
        return error
    log.error("runtime failed", exc_info=error, extra=attempt.log_fields())
    return runtime_fault(error)


def runtime_fault(error: BaseException) -> FunctionFailedError:
    """Return the outcome for an error of the runtime. Its message stays in the process log: it may hold secrets."""
    return FunctionFailedError(
        f"The runtime failed at this attempt ({error_kind(error)}); see the log of its worker.",
        error_type="RuntimeFault",
    )


def decide_next(attempt: Attempt, end: AttemptEndedError) -> retry_policy.Decision:
    """Return what follows: by the function's policy for its own failures; another attempt for those of the runtime."""
    if not end.may_retry:
        return retry_policy.Fail()
    if not end.is_failure:
        return retry_policy.GiveBack(end.delay_s or 0.0)
    # The number of attempts was fixed when the request was accepted; the delays are those of the current code.
    policy = replace(attempt.function.policy, max_attempts=attempt.claim.max_attempts)
    chance = random.random()  # noqa: S311 - jitter
    return retry_policy.after_failure(policy, attempt.claim.failures + 1, asked_delay_s=end.delay_s, chance=chance)


def record_outcome(attempt: Attempt, end: AttemptEndedError) -> None:
    """Take over an outcome into the attempt's record."""
    record = attempt.record
    record.outcome, record.error_type, record.error_message = end.outcome, end.error_type, str(end)
    record.traceback = end.traceback


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


def log_retry(attempt: Attempt, error: OSError) -> None:
    """Log that a file could not be stored yet."""
    log.warning("file not stored; retrying", extra=attempt.log_fields() | {"error": str(error)})


def _retry_later(attempt: Attempt, end: End) -> End:
    """Set delay and retry permission of an outcome."""
    end.delay_s = BACKOFF.delay_s(attempt.claim.attempt)
    end.may_retry = attempt.claim.attempt < MAX_TRIES and not attempt.must_not_repeat
    return end
