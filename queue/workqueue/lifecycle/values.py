"""The values that an attempt hands around: the claim (its lease) and the record (what became of it)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from schema.statuses import Outcome, Phase
from workqueue import ids
from workqueue.files.store import StoredFile
from workqueue.functions.registry import FunctionSpec
from workqueue.transport.rq_status import ClaimedJob

PreviousState = tuple[datetime | None, str | None, str | None]  # started_at, error_type, error_message
Progress = tuple[float | None, str | None]  # a fraction from 0 to 1, and a short text


def part_name(attempt: int, worker: str) -> str:
    """The part of the store in which an attempt's output files are kept: the number, and the end of a worker's name."""
    return f"{attempt}.{worker.rpartition('-')[2]}"


@dataclass(frozen=True, slots=True)
class LogLine:
    """Hold one line that a request printed. number: its place in the attempt's log, from 1; stream: "stdout", "stderr"
    or, for the runtime's own lines, "localfn".
    """

    number: int
    time: datetime
    stream: str
    line: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a request: who may write it, and what has to be run.

    event: JSON text, passed on unparsed. function: None when it no longer exists.
    shown_before: what the request said of the attempt before, should this one not begin.
    """

    request_id: UUID
    attempt: int
    worker: str
    function_name: str
    function: FunctionSpec | None
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
    """Tell how far an attempt has come that still runs.

    begun: what is known of it by now; None when nothing is new. current: its lines without an end; None when they are
    as they were stored last.
    """

    phase: Phase
    progress: Progress = (None, None)
    lines: Sequence[LogLine] = ()
    record: "AttemptRecord | None" = None
    partial_lines: Sequence[LogLine] | None = None


@dataclass(slots=True)
class AttemptRecord:
    """What is stored about an attempt: all of it when it ends; of one that lasts, what there is, before."""

    outcome: Outcome = Outcome.COMPLETED
    phases: list[dict[str, Any]] = field(default_factory=list)
    cold_start: bool | None = None
    init_ms: float | None = None
    max_rss_mb: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    lines: list[LogLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Completion:
    """An attempt that came to its result, not yet committed. data: the result as JSON text."""

    claim: Claim
    data: str
    files: Sequence[StoredFile]
    record: AttemptRecord
    progress: Progress = (None, None)
