"""The only writer of a request's status; docs/explanation/request-life.md has its transitions, one transaction each.

claiming, attempts: moves of the worker that takes and holds the lease. requests: moves asked for from outside.
hastening: one with a later time. recovery, setting_back: the reconciler's moves. emptying: all that wait in a queue.
"""

from workqueue.lifecycle.attempt import extend, fail, finish, give_back, record_cleanup
from workqueue.lifecycle.claim import claim, release_unstarted
from workqueue.lifecycle.emptying import cancel_pending_in_queue
from workqueue.lifecycle.hastening import run_now
from workqueue.lifecycle.recovery import (
    ExpiredLease,
    LostLine,
    expire_leases,
    find_stale_queued,
    find_unqueued,
    mark_rung,
    store_lost_lines,
)
from workqueue.lifecycle.requests import NewRequest, accept, cancel, delete, purge, retry
from workqueue.lifecycle.setting_back import adjust_for_clock_step
from workqueue.lifecycle.values import AttemptProgress, AttemptRecord, Claim, Completion, LogLine, Progress

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
