"""Write the status of requests: the only package that does. Each function is one transition, in one transaction.

accept: ∅ → pending. claim, extension, completion, failure: transitions of the worker that holds the lease, each one
statement for any number of attempts. client_actions: those of a client or an operator. missing_bells, recovery: those
of the reconciler. retention: deletion.
docs/explanation/request-life.md shows all transitions.
"""

from workqueue.lifecycle.accept import (
    NewRequest,
    accept,
)
from workqueue.lifecycle.attempt_data import (
    AttemptProgress,
    AttemptRecord,
    Claim,
    Completion,
    Extension,
    FailedAttempt,
    LogLine,
    PhaseRecord,
    Progress,
    ReturnedAttempt,
)
from workqueue.lifecycle.claim import (
    claim,
    claim_steps,
    release_steps,
    release_unstarted,
    resume_steps,
)
from workqueue.lifecycle.client_actions import (
    cancel,
    cancel_pending_in_queue,
    retry,
    run_now,
)
from workqueue.lifecycle.completion import (
    finish,
    finish_steps,
    record_cleanup,
    record_cleanup_steps,
)
from workqueue.lifecycle.extension import (
    extend,
    extend_all,
    extend_steps,
)
from workqueue.lifecycle.failure import (
    fail,
    fail_all,
    fail_steps,
    give_back,
    give_back_all,
    give_back_steps,
)
from workqueue.lifecycle.missing_bells import (
    find_stale_queued,
    find_unqueued,
    mark_rung,
    overdue_steps,
)
from workqueue.lifecycle.recovery import (
    ExpiredLease,
    LostLine,
    UnknownFunction,
    adjust_for_clock_step,
    end_leases_of,
    expire_leases,
    fail_unknown,
    store_lost_lines,
)
from workqueue.lifecycle.retention import (
    delete,
    purge,
)

__all__ = [
    "AttemptProgress",
    "AttemptRecord",
    "Claim",
    "Completion",
    "ExpiredLease",
    "Extension",
    "FailedAttempt",
    "LogLine",
    "LostLine",
    "NewRequest",
    "PhaseRecord",
    "Progress",
    "ReturnedAttempt",
    "UnknownFunction",
    "accept",
    "adjust_for_clock_step",
    "cancel",
    "cancel_pending_in_queue",
    "claim",
    "claim_steps",
    "delete",
    "end_leases_of",
    "expire_leases",
    "extend",
    "extend_all",
    "extend_steps",
    "fail",
    "fail_all",
    "fail_steps",
    "fail_unknown",
    "find_stale_queued",
    "find_unqueued",
    "finish",
    "finish_steps",
    "give_back",
    "give_back_all",
    "give_back_steps",
    "mark_rung",
    "overdue_steps",
    "purge",
    "record_cleanup",
    "record_cleanup_steps",
    "release_steps",
    "release_unstarted",
    "resume_steps",
    "retry",
    "run_now",
    "store_lost_lines",
]
