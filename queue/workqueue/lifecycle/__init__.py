"""The only writer of a request's status: each function is one arrow of docs/request-life.md, one transaction.

claiming, attempts: moves of the worker that takes and holds the lease. requests: moves asked for from outside.
hastening: one with a later time. recovery, setting_back: the reconciler's moves. emptying: all that wait in a queue.
"""

from workqueue.lifecycle.attempt import amend, extend, fail, finish, give_back
from workqueue.lifecycle.claim import claim, unclaim
from workqueue.lifecycle.emptying import empty
from workqueue.lifecycle.hastening import hasten
from workqueue.lifecycle.recovery import Lapsed, LostLine, expire, keep_lines, mark_rung, silent, unanswered
from workqueue.lifecycle.requests import Accepted, accept, cancel, delete, purge, retry
from workqueue.lifecycle.setting_back import set_back
from workqueue.lifecycle.values import Claim, Completion, Progress, Record, Standing

__all__ = [
    "Accepted",
    "Claim",
    "Completion",
    "Lapsed",
    "LostLine",
    "Progress",
    "Record",
    "Standing",
    "accept",
    "amend",
    "cancel",
    "claim",
    "delete",
    "empty",
    "expire",
    "extend",
    "fail",
    "finish",
    "give_back",
    "hasten",
    "keep_lines",
    "mark_rung",
    "purge",
    "retry",
    "set_back",
    "silent",
    "unanswered",
    "unclaim",
]
