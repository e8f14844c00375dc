"""The value that the steps of `invoke` work on: one attempt, with its phases, output and interruption."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from schema.statuses import Phase
from workqueue.clock import Clock
from workqueue.files.store import StoredFile
from workqueue.lifecycle import AttemptRecord, Claim, Completion, Progress
from workqueue.logs.buffer import LogBuffer
from workqueue.outcomes import AttemptEndedError
from workqueue.sandboxes.connection import SandboxConnection


@dataclass(slots=True, eq=False)
class Attempt:
    """Hold one running attempt.

    interruption: why the attempt has to end; set by another thread, raised by the loop that drives the sandbox.
    is_sent: its sandbox got it together with the member before it, and starts it when that one ends.
    batch_index: its zero-based position among the attempts that were sent together.
    has_started: True if the sandbox had started it when the sandbox ended by itself.
    is_release_uncertain: a release to the queue got no answer, so another worker may hold the request.
    is_recalled: its sandbox will not start it, unless it is sent again.
    leaves_directory_clean: it left its working directory as it found it.
    leftovers: state that it left in its sandbox, as text; empty if another request may use the sandbox.
    timestamps: when it began, began to process, and ended, by the sandbox's measurement.
    cpu_adjusted_s: how long the sandbox worked at it, without the time that it waited for a processor.
    cleanup_event: the normalised event as JSON text, for a cleanup hook in another sandbox.
    """

    claim: Claim
    clock: Clock
    record: AttemptRecord = field(default_factory=AttemptRecord)
    log_buffer: LogBuffer = field(default_factory=LogBuffer)
    sandbox: SandboxConnection | None = None
    is_sent: bool = False
    batch_index: int = 0
    has_started: bool = False
    is_release_uncertain: bool = False
    is_recalled: bool = False
    phase: Phase = Phase.VALIDATE
    phase_started_at: datetime | None = None
    progress: Progress = (None, None)
    interruption: BaseException | None = None
    leaves_directory_clean: bool = False
    leftovers: str = ""
    timestamps: tuple[datetime, datetime, datetime] | None = None
    cpu_adjusted_s: float | None = None
    is_cleaned_up: bool = False
    cleanup_event: bytes = b""

    @property
    def request_id(self) -> UUID:
        return self.claim.request_id

    @property
    def activity(self) -> str:
        """Return what its sandbox does now, as a clause for error messages."""
        return "while validating the event" if self.phase == Phase.VALIDATE else "while running the function"

    @property
    def last_phase(self) -> Phase:
        """Return the last phase that it reached, not counting cleanup."""
        names = (entry["phase"] for entry in reversed(self.record.phases))
        return Phase(next((name for name in names if name != Phase.CLEANUP), self.phase))

    @property
    def has_cleanup_hook(self) -> bool:
        """Return whether user code runs in its cleanup."""
        return self.claim.function is not None and self.claim.function.has_cleanup

    @property
    def is_prefetchable(self) -> bool:
        """Return whether a sandbox may run it right after another attempt, with no step of the worker in between."""
        function, claim = self.claim.function, self.claim
        return (
            function is not None
            and not function.has_cleanup
            and not function.schema_checked_outside
            and not claim.inputs
            and claim.on_lost != "fail"
        )

    def log_fields(self) -> dict[str, Any]:
        """Return the fields by which log lines name it."""
        return {
            "request_id": str(self.claim.request_id),
            "attempt": self.claim.attempt,
            "function": self.claim.function_name,
            "worker": self.claim.worker,
        }

    def begin_phase(self, phase: Phase) -> None:
        """Start a phase, and end the open one as successful."""
        self.end_phase("ok")
        self.phase, self.phase_started_at = phase, self.clock.now()
        self.record.phases.append({"phase": phase, "started_at": self.phase_started_at.isoformat()})

    def end_phase(self, outcome: str, error: str | None = None) -> None:
        """End the open phase, if there is one."""
        if self.phase_started_at is None:
            return
        now = self.clock.now()
        ended = {
            "finished_at": now.isoformat(),
            "duration_ms": round((now - self.phase_started_at).total_seconds() * 1000, 3),
            "outcome": outcome,
        }
        # One update: the lease renewer's thread may store the entry at any moment.
        self.record.phases[-1] |= ended | ({"error": error} if error else {})
        self.phase_started_at = None

    def snapshot(self) -> AttemptRecord:
        """Return a copy of the record so far, for another thread."""
        record = self.record
        phases = [dict(entry) for entry in record.phases]
        return AttemptRecord(phases=phases, cold_start=record.cold_start, init_ms=record.init_ms)

    def apply_sandbox_times(self) -> None:
        """Replace the times of the first two phases, which this process saw late, by the sandbox's measurement."""
        if self.timestamps is None:
            return
        (validate, *_, process), (began, processing, ended) = self.record.phases, self.timestamps
        for entry, start, end in ((validate, began, processing), (process, processing, ended)):
            entry["started_at"], entry["finished_at"] = start.isoformat(), end.isoformat()
            entry["duration_ms"] = round((end - start).total_seconds() * 1000, 3)

    @contextmanager
    def in_phase(self, phase: Phase) -> Iterator[None]:
        """Run the block as a phase, which fails if the block raises."""
        self.begin_phase(phase)
        try:
            yield
        except AttemptEndedError as end:
            self.end_phase(end.outcome, str(end))
            raise
        self.end_phase("ok")

    def make_completion(self, data: str, files: list[StoredFile]) -> Completion:
        """Return what the commit stores of it. data: the result as JSON text."""
        self.record.lines += self.log_buffer.take_rest(self.clock.now())
        return Completion(self.claim, data, files, self.record, self.progress)
