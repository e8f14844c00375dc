"""The values of an attempt: its claim (the lease), its progress while it runs, its record when it has ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from schema.statuses import Outcome, Phase
from workqueue import ids
from workqueue.errors import LeaseLostError
from workqueue.files.store import StoredFile
from workqueue.outcomes import CancelledError
from workqueue.transport.rq_status import ClaimedJob

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

PreviousState = tuple[datetime | None, str | None, str | None]  # started_at, error_type, error_message
Progress = tuple[float | None, str | None]  # a fraction from 0 to 1, and a short text


def part_name(attempt: int, worker: str) -> str:
    """Return the folder of an attempt's output files in the file store: number, and end of the worker's name."""
    return f"{attempt}.{worker.rpartition('-')[2]}"


@dataclass(frozen=True, slots=True)
class LogLine:
    """Hold one line of a request's output.

    number: its place in the attempt's log, from 1. stream: "stdout", "stderr", or "localfn" for the runtime's own
    lines.
    """

    number: int
    time: datetime
    stream: str
    line: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold the lease on a request, and what its attempt needs to run.

    event: JSON text, passed to the sandbox unparsed.
    previous: what the request's row said of the attempt before; a release of the unstarted request restores it.
    """

    request_id: UUID
    attempt: int
    worker: str
    function_name: str
    event: str
    queue: str
    max_attempts: int
    failures: int
    losses: int
    on_lost: str
    inputs: tuple[StoredFile, ...]
    claimed_at: datetime
    created_at: datetime
    available_at: datetime
    schedule: str | None = None
    traceparent: str | None = None
    previous: PreviousState = (None, None, None)

    @property
    def fencing_token(self) -> dict[str, Any]:
        """Return the parameters that every write of this attempt is guarded by."""
        return {"id": self.request_id, "attempt": self.attempt, "worker": self.worker}

    @property
    def job(self) -> ClaimedJob:
        """Return the RQ job that rang for this attempt."""
        return ClaimedJob(ids.job_id(self.request_id, self.attempt), self.request_id, self.queue, self.claimed_at)

    @property
    def part(self) -> str:
        return part_name(self.attempt, self.worker)


@dataclass(frozen=True, slots=True)
class AttemptProgress:
    """Hold how far a running attempt has come, to be stored with the extension of its lease.

    lines: complete lines that are not stored yet. partial_lines: those without an end; None if unchanged since the last
    extension. record: phases and cold start so far; None if unchanged.
    """

    phase: Phase
    progress: Progress = (None, None)
    lines: Sequence[LogLine] = ()
    record: "AttemptRecord | None" = None
    partial_lines: Sequence[LogLine] | None = None


class PhaseRecord(NamedTuple):
    """Hold one phase of an attempt. started_us: in µs since 1970, UTC. duration_us: None while it runs."""

    phase: str
    started_us: int
    duration_us: int | None = None
    outcome: str | None = None
    error: str | None = None

    @property
    def began(self) -> datetime:
        return EPOCH + self.started_us * MICROSECOND

    @property
    def ended(self) -> datetime | None:
        return None if self.duration_us is None else self.began + self.duration_us * MICROSECOND


@dataclass(slots=True)
class AttemptRecord:
    """Hold the outcome of an attempt, stored when it ends; phases and cold start of a long one are stored before."""

    outcome: Outcome = Outcome.COMPLETED
    phases: list[PhaseRecord] = field(default_factory=list)
    cold_start: bool | None = None
    init_ms: float | None = None
    max_rss_mb: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    lines: list[LogLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Completion:
    """Hold an attempt that has its result and is not committed yet. data: the result as JSON text."""

    claim: Claim
    data: str
    files: Sequence[StoredFile]
    record: AttemptRecord
    progress: Progress = (None, None)


@dataclass(frozen=True, slots=True)
class Extension:
    """Hold a running attempt, whose lease is extended, and its progress."""

    claim: Claim
    progress: AttemptProgress


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """Hold an attempt that ended without a result, in `phase`, and no other follows.

    failures: 1 if the function failed, 0 if the runtime did.
    """

    claim: Claim
    record: AttemptRecord
    phase: Phase
    failures: int = 1


@dataclass(frozen=True, slots=True)
class ReturnedAttempt:
    """Hold an attempt that ended without a result, and another follows `delay_s` seconds later."""

    claim: Claim
    record: AttemptRecord
    delay_s: float = 0.0
    failures: int = 0


class Answer(StrEnum):
    """What became of the write of one attempt.

    STORED: it is committed, by this statement or by an earlier try of it. CANCELLED: a cancel is requested. LOST: the
    lease is lost; statements also leave out a row for it. CHANGED: another transaction changed the row meanwhile; send
    the statement again.
    """

    STORED = "stored"
    CANCELLED = "cancelled"
    LOST = "lost"
    CHANGED = "changed"


def errors_of(claims: Iterable[Claim], answers: Mapping[UUID, Answer]) -> dict[UUID, Exception]:
    """Return a CancelledError or a LeaseLostError for each attempt that was not stored, by request id."""
    errors = {Answer.CANCELLED: CancelledError, Answer.LOST: LeaseLostError}
    given = {claim.request_id: answers.get(claim.request_id, Answer.LOST) for claim in claims}
    return {request_id: errors[answer]() for request_id, answer in given.items() if answer in errors}
