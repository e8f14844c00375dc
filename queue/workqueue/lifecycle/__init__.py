"""Write the status of requests: the only package that does. Each function is one transition, in one transaction.

accept: ∅ → pending. claim, claimed_requests: transitions of the worker that holds the lease. client_actions: those of a
client or an operator. missing_bells, recovery: those of the reconciler. retention: deletion.
docs/explanation/request-life.md shows all transitions.
"""

from workqueue.lifecycle.accept import NewRequest, accept
from workqueue.lifecycle.attempt_data import AttemptProgress, AttemptRecord, Claim, Completion, LogLine, Progress
from workqueue.lifecycle.claim import claim, release_unstarted
from workqueue.lifecycle.claimed_requests import extend, fail, finish, give_back, record_cleanup
from workqueue.lifecycle.client_actions import cancel, cancel_pending_in_queue, retry, run_now
from workqueue.lifecycle.missing_bells import find_stale_queued, find_unqueued, mark_rung
from workqueue.lifecycle.recovery import ExpiredLease, LostLine, adjust_for_clock_step, expire_leases, store_lost_lines
from workqueue.lifecycle.retention import delete, purge

__all__ = [
    "AttemptProgress",
    "AttemptRecord",
    "Claim",
    "Completion",
    "ExpiredLease",
    "LogLine",
    "LostLine",
    "NewRequest",
    "Progress",
    "accept",
    "adjust_for_clock_step",
    "cancel",
    "cancel_pending_in_queue",
    "claim",
    "delete",
    "expire_leases",
    "extend",
    "fail",
    "find_stale_queued",
    "find_unqueued",
    "finish",
    "give_back",
    "mark_rung",
    "purge",
    "record_cleanup",
    "release_unstarted",
    "retry",
    "run_now",
    "store_lost_lines",
]
