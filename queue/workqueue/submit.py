"""Submit requests: store them durably, then ring. Once `submit` returns, every request will end, also after a crash."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from schema import exact_json
from schema.engine import autocommit
from workqueue import lifecycle, log_fields
from workqueue.clock import Clock
from workqueue.database import is_outage
from workqueue.errors import KeyReusedError
from workqueue.event_json import PARSER_LOCK, JsonText
from workqueue.files.store import StoredFile
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import NewRequest
from workqueue.lifecycle.accept import find_key_holder
from workqueue.lifecycle.group_commit import GroupCommit
from workqueue.transport.doorbell import Doorbell

log = logging.getLogger(__name__)

SORTED_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
MAX_GROUP, MAX_GROUPED_BYTES = 32, 16 * 1024  # requests that share a statement, and the bytes of each of their events
KEY_TTL = timedelta(hours=24)  # contract, section 3


@dataclass(frozen=True, slots=True)
class Submission:
    """Hold the call of a client.

    events: one, or those of a batch, as values or as JsonText. files: uploads, already in the file store under `id`.
    function: its registry entry. is_batch: True for a batch, also of one event: its idempotency key differs from a
    call's.
    queue, available_at: None for the function's queue, and for now.
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
    """Hold the ids of the requests, in the order of their events. accepted: those that are new; none in a replay."""

    ids: tuple[UUID, ...]
    accepted: tuple[NewRequest, ...] = ()

    @property
    def replayed(self) -> bool:
        return not self.accepted


class Submitter:
    """Store requests durably, then ring; safe for threads. Submissions of concurrent threads share a statement."""

    def __init__(self, engine: Engine, doorbell: Doorbell, clock: Clock) -> None:
        self._engine, self._doorbell, self._clock = engine, doorbell, clock
        self._singles = GroupCommit(self._store, self._ring, MAX_GROUP)

    def submit(self, submission: Submission) -> SubmitResult:
        """Store one request per event, all or none, and ring for those that are due.

        Raises KeyReusedError, and DBAPIError if the database is unavailable: nothing is stored then.
        If the process dies after the commit and before the ring, the reconciler rings.
        """
        self._clock.refresh(self._engine)
        now = self._clock.now()
        requests = _requests(submission, now)
        if _is_small_single(submission):
            self._submit_single(requests[0])
        else:
            key = (submission.idempotency_key, fingerprint(submission)) if submission.idempotency_key else None
            if (replay := self._store_in_transaction(requests, key)) is not None:
                return replay
            self._ring(requests)
        log.info(
            "request accepted",
            extra=log_fields.for_requests([(request.id, None, submission.function.name) for request in requests]),
        )
        return SubmitResult(tuple(request.id for request in requests), tuple(requests))

    def _submit_single(self, request: NewRequest) -> None:
        try:
            self._singles.add(request)
        except DBAPIError as error:
            if is_outage(error):
                raise
            self._store([request])  # PostgreSQL may have rejected another request of the group
            self._ring([request])

    def _store(self, requests: Sequence[NewRequest]) -> None:
        """Store requests without files and keys by one statement, which needs no BEGIN and COMMIT."""
        with autocommit(self._engine) as connection:
            lifecycle.accept(connection, requests)

    def _store_in_transaction(self, requests: Sequence[NewRequest], key: tuple[str, str] | None) -> SubmitResult | None:
        """Store the requests, and return None; if another request holds the key, return that one."""
        with self._engine.connect() as connection:
            while not _accept(connection, requests, key):
                connection.rollback()
                assert key is not None, "accept returns False only for a key that is taken"
                holder = find_key_holder(connection, requests[0].function.name, key[0])
                if holder is not None:
                    return _replay(holder, key[1])
                # The request that held the key was deleted a moment ago, and its key with it: try again.
            connection.commit()
        return None

    def _ring(self, requests: Sequence[NewRequest]) -> None:
        self._doorbell.ring([request.bell for request in requests if request.available_at <= request.created_at])


def submit(engine: Engine, doorbell: Doorbell, clock: Clock, submission: Submission) -> SubmitResult:
    """Submit as a `Submitter` does, for a caller with a single thread."""
    return Submitter(engine, doorbell, clock).submit(submission)


def _is_small_single(submission: Submission) -> bool:
    """Return whether the request may share a statement: it is one row, and one of few bytes."""
    if len(submission.events) > 1 or submission.files or submission.idempotency_key is not None:
        return False
    event = submission.events[0]
    return isinstance(event, JsonText) and len(event.utf8) <= MAX_GROUPED_BYTES


def fingerprint(submission: Submission) -> str:
    """Return the digest of the values that an idempotency key identifies.

    White space, escapes and the order of keys and files do not count; the digits of numbers do: clients often serialize
    a retry again. The Idempotency-Key draft of the IETF leaves this choice to the server.
    """
    digest = hashlib.sha256(b"batch" if submission.is_batch else b"call")
    for event in submission.events:
        with PARSER_LOCK:
            value = exact_json.read(event.utf8) if isinstance(event, JsonText) else event
            digest.update(f"\0{exact_json.write(value, SORTED_ENCODER.encode)}".encode())
    for file in sorted(submission.files, key=lambda file: file.name):
        digest.update(f"\0{file.name}\0{file.filename}\0{file.sha256}".encode())
    return digest.hexdigest()


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


def _replay(holder: tuple[tuple[UUID, ...], str], digest: str) -> SubmitResult:
    ids, body_sha256 = holder
    if body_sha256 != digest:
        raise KeyReusedError
    return SubmitResult(ids)
