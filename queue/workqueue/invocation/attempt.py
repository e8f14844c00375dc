"""The value that the steps of an invocation work on: one attempt, its phases, its output, its interruption."""

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
    """One try at a request, while it is under way.

    interruption: set from another thread when the attempt has to end; the driving loop raises it.
    is_sent: its sandbox has got it together with one before it, and begins when that one is over.
    place: the how-manieth it is, from 0, of those that its sandbox got together.
    has_begun: whether it had, when its sandbox ended by itself.
    is_in_doubt: it may have gone back to the queue, without an answer.
    is_called_back: its sandbox will not begin it, unless it is sent again.
    leaves_clean: it left its working directory as it had found it.
    leftovers: what it left in its sandbox, in words; empty when another request may have the sandbox.
    ran: when it began, began to process, and ended, as its sandbox says.
    own_s: for how long its sandbox was at it, less what it waited for a processor.
    cleanup_event: the normalised event as JSON text, for a cleanup in another sandbox.
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
        """Return what its sandbox is at, as a clause."""
        return "while validating the event" if self.phase == Phase.VALIDATE else "while running the function"

    @property
    def last_phase(self) -> Phase:
        """The phase that it came to, cleanup aside."""
        return Phase(
            next((e["phase"] for e in reversed(self.record.phases) if e["phase"] != Phase.CLEANUP), self.phase)
        )

    @property
    def has_cleanup_hook(self) -> bool:
        """Whether its cleanup runs code of the user's."""
        return self.claim.function is not None and self.claim.function.has_cleanup

    @property
    def is_prefetchable(self) -> bool:
        """Whether it needs nothing of us before it begins, and nothing but its result is taken when it ends."""
        function, claim = self.claim.function, self.claim
        return (
            function is not None
            and not function.has_cleanup
            and not function.schema_checked_outside
            and not claim.inputs
            and claim.on_lost != "fail"
        )

    def log_fields(self) -> dict[str, Any]:
        return {
            "request_id": str(self.claim.request_id),
            "attempt": self.claim.attempt,
            "function": self.claim.function_name,
            "worker": self.claim.worker,
        }

    def begin_phase(self, phase: Phase) -> None:
        """Closes the phase before as done, if it is open, and starts this one."""
        self.end_phase("ok")
        self.phase, self.phase_started_at = phase, self.clock.now()
        self.record.phases.append({"phase": phase, "started_at": self.phase_started_at.isoformat()})

    def end_phase(self, outcome: str, error: str | None = None) -> None:
        if self.phase_started_at is None:
            return
        now = self.clock.now()
        ended = {
            "finished_at": now.isoformat(),
            "duration_ms": round((now - self.phase_started_at).total_seconds() * 1000, 3),
            "outcome": outcome,
        }
        # At once: the keeper's thread may store it at any moment.
        self.record.phases[-1] |= ended | ({"error": error} if error else {})
        self.phase_started_at = None

    def snapshot(self) -> AttemptRecord:
        """What is known by now, for a thread that reads while this one goes on."""
        record = self.record
        phases = [dict(entry) for entry in record.phases]
        return AttemptRecord(phases=phases, cold_start=record.cold_start, init_ms=record.init_ms)

    def apply_sandbox_times(self) -> None:
        """Its first two phases were when the sandbox says, not when we came to hear of them."""
        if self.timestamps is None:
            return
        (validate, *_, process), (began, processing, ended) = self.record.phases, self.timestamps
        for entry, start, end in ((validate, began, processing), (process, processing, ended)):
            entry["started_at"], entry["finished_at"] = start.isoformat(), end.isoformat()
            entry["duration_ms"] = round((end - start).total_seconds() * 1000, 3)

    @contextmanager
    def in_phase(self, phase: Phase) -> Iterator[None]:
        """A phase that is done when the block ends, and failed when it raises."""
        self.begin_phase(phase)
        try:
            yield
        except AttemptEndedError as end:
            self.end_phase(end.outcome, str(end))
            raise
        self.end_phase("ok")

    def make_completion(self, data: str, files: list[StoredFile]) -> Completion:
        """What is stored of it when it has come to its result. data: JSON text."""
        self.record.lines += self.log_buffer.take_rest(self.clock.now())
        return Completion(self.claim, data, files, self.record, self.progress)
