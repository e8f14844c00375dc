"""Accepts requests: stores them durably, then rings. After `submit` returns the promise holds, whatever dies next."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from uuid_utils.compat import uuid7

from schema import exact_json
from schema.engine import autocommit
from workqueue import lifecycle, log_fields
from workqueue.clock import Clock
from workqueue.errors import KeyReusedError
from workqueue.event_json import PARSER_LOCK, JsonText
from workqueue.files.store import StoredFile
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import NewRequest
from workqueue.lifecycle.accept import find_key_holder
from workqueue.transport.doorbell import Doorbell

log = logging.getLogger(__name__)

SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
KEY_TTL = timedelta(hours=24)  # contract, section 3


@dataclass(frozen=True, slots=True)
class Submission:
    """Hold the call that a client makes.

    events: one, or those of a batch, as values or as their JsonText. files: uploads, stored already under `id`.
    function: as the registry has it. is_batch: a batch of one event is another order than a call with it.
    queue, available_at: None for the function's own queue, and for now.
    """

    function: FunctionSpec
    events: Sequence[Any]
    id: UUID = field(default_factory=uuid7)
    files: Sequence[StoredFile] = ()
    queue: str | None = None
    available_at: datetime | None = None
    schedule: str | None = None
    idempotency_key: str | None = None
    is_batch: bool = False
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The ids of the requests, in the order of their events; those that were accepted now. replayed: none was."""

    ids: tuple[UUID, ...]
    accepted: tuple[NewRequest, ...] = ()

    @property
    def replayed(self) -> bool:
        return not self.accepted


def submit(engine: Engine, doorbell: Doorbell, clock: Clock, submission: Submission) -> SubmitResult:
    """Stores one request per event, all or none, and rings for those that are due.

    Raises KeyReusedError, and DBAPIError when the database is away: nothing is stored then.
    Should the process die after the commit and before the ring, the reconciler rings.
    """
    clock.refresh(engine)
    now = clock.now()
    key = (submission.idempotency_key, fingerprint(submission)) if submission.idempotency_key is not None else None
    requests = _requests(submission, now)
    # One statement is a transaction of its own, with one trip to the server instead of three.
    several = bool(submission.files) or submission.idempotency_key is not None or len(requests) > 1
    with engine.connect() if several else autocommit(engine) as connection:
        while not _accept(connection, requests, key):
            connection.rollback()
            assert key is not None, "only a key that is held keeps a request from being accepted"
            held = find_key_holder(connection, submission.function.name, key[0])
            if held is not None:
                return _replay(held, key[1])
            # The request that held the key was deleted this moment, and the key with it.
        connection.commit()
    due = [request.bell for request in requests if request.available_at <= now]
    doorbell.ring(due)
    log.info(
        "accepted",
        extra=log_fields.for_requests([(request.id, None, submission.function.name) for request in requests]),
    )
    return SubmitResult(tuple(request.id for request in requests), tuple(requests))


def fingerprint(submission: Submission) -> str:
    """Return what an idempotency key stands for: the values that were sent, however they were spelt.

    White space, the order of keys, escapes and the order of files do not count; the digits of numbers do. The
    Idempotency-Key draft of the IETF leaves this choice to the server. Clients often make the JSON of a retry anew.
    """
    found = hashlib.sha256(b"batch" if submission.is_batch else b"call")
    for event in submission.events:
        with PARSER_LOCK:
            value = exact_json.read(event.utf8) if isinstance(event, JsonText) else event
            found.update(f"\0{exact_json.write(value, SORTED.encode)}".encode())
    for file in sorted(submission.files, key=lambda file: file.name):
        found.update(f"\0{file.name}\0{file.filename}\0{file.sha256}".encode())
    return found.hexdigest()


def _accept(connection: Connection, requests: Sequence[NewRequest], key: tuple[str, str] | None) -> bool:
    """Store requests, when the caller commits. Return False when another request holds the key."""
    first = requests[0]
    if key is not None:
        values = {"function": first.function.name, "key": key[0], "before": first.created_at - KEY_TTL}
        connection.execute(DELETE_OLD_KEY, values)
    return lifecycle.accept(connection, requests, key=key)


DELETE_OLD_KEY = text("DELETE FROM idempotency_key WHERE function = :function AND key = :key AND created_at < :before")


def _requests(submission: Submission, now: datetime) -> list[NewRequest]:
    return [
        NewRequest(
            id=submission.id if position == 0 else uuid7(),
            function=submission.function,
            event=event,
            queue=submission.queue or submission.function.queue,
            created_at=now,
            available_at=max(submission.available_at or now, now),
            schedule=submission.schedule,
            files=submission.files,
            traceparent=submission.traceparent,
        )
        for position, event in enumerate(submission.events)
    ]


def _replay(held: tuple[tuple[UUID, ...], str], digest: str) -> SubmitResult:
    ids, body_sha256 = held
    if body_sha256 != digest:
        raise KeyReusedError
    return SubmitResult(ids)
