"""The value that travels through a worker: one attempt at a request, with its state, phases and output."""

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event
from typing import Any
from uuid import UUID

from schema.statuses import Phase
from workqueue.clock import Clock
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import AttemptRecord, Claim, PhaseRecord, Progress
from workqueue.logs.buffer import LogBuffer
from workqueue.logs.spool_file import SpoolFile


@dataclass(slots=True)
class PhaseTimes:
    """Hold one phase. started, ended: in seconds of `time.monotonic`; ended is unset while the phase runs."""

    phase: Phase
    started: float
    ended: float | None = None
    outcome: str = ""
    error: str | None = None

    def record(self, offset_s: float) -> PhaseRecord:
        """Convert the phase for its row. offset_s: from `time.monotonic` to seconds since 1970."""
        started_us = round((self.started + offset_s) * 1_000_000)
        if self.ended is None:
            return PhaseRecord(self.phase, started_us)
        duration_us = round((self.ended - self.started) * 1_000_000)
        return PhaseRecord(self.phase, started_us, duration_us, self.outcome, self.error or None)


@dataclass(slots=True)
class PhaseLog:
    """The phases of an attempt, in the order of their start. At most the last one is open."""

    times: list[PhaseTimes] = field(default_factory=list)

    @property
    def current(self) -> Phase:
        """Return the phase that started last."""
        return self.times[-1].phase if self.times else Phase.VALIDATE

    @property
    def last_before_cleanup(self) -> Phase:
        """Return the phase in which the attempt ended, not counting its cleanup."""
        return next((each.phase for each in reversed(self.times) if each.phase != Phase.CLEANUP), Phase.VALIDATE)

    def begin(self, phase: Phase, at: float | None = None) -> None:
        """Start a phase, and end the open one as successful. at: in seconds of `time.monotonic`; None for now."""
        at = time.monotonic() if at is None else at
        self.end("ok", at=at)
        self.times.append(PhaseTimes(phase, at))

    def end(self, outcome: str, error: str | None = None, at: float | None = None) -> None:
        """End the open phase, if there is one."""
        if self.times and self.times[-1].ended is None:
            last = self.times[-1]
            last.ended, last.outcome, last.error = time.monotonic() if at is None else at, outcome, error

    def restart(self) -> None:
        """Forget all phases: the attempt did not start."""
        self.times.clear()

    def set_measured(self, began: float | None, processing: float, ended: float) -> None:
        """Take over the sandbox's own times of the first two phases: this process sees them later.

        began: None after a cold start, which the sandbox does not measure.
        """
        if len(self.times) >= 2 and self.times[1].phase is Phase.PROCESS:
            validate, process = self.times[:2]
            validate.started, validate.ended = validate.started if began is None else began, processing
            process.started, process.ended = processing, ended if process.ended is not None else None

    def records(self, clock: Clock) -> list[PhaseRecord]:
        """Convert the phases for the row of the request."""
        offset_s = clock.now().timestamp() - time.monotonic()
        return [each.record(offset_s) for each in self.times]


class State(StrEnum):
    """Where an attempt is in its worker."""

    WAITING = "waiting"
    """In: claim, recall. Out: sent. It has no sandbox, and can be given back as if it had not been claimed."""

    SENT = "sent"
    """In: sent. Out: started, or waiting by a recall. It waits behind another attempt of the same sandbox."""

    STARTED = "started"
    """In: it is the first in its sandbox. Out: done; waiting if the sandbox did not start it after all."""

    DONE = "done"
    """In: its sandbox answered or ended. Out: released. Its end is not stored yet."""

    RELEASED = "released"
    """In: its end is stored, or its lease is lost. The worker writes nothing about it any more."""


MOVES = frozenset(
    {
        (State.WAITING, State.SENT),
        (State.WAITING, State.STARTED),
        (State.WAITING, State.DONE),  # cancelled, or not startable
        (State.WAITING, State.RELEASED),  # given back unstarted
        (State.SENT, State.STARTED),
        (State.SENT, State.WAITING),
        (State.STARTED, State.WAITING),
        (State.STARTED, State.DONE),
        (State.DONE, State.RELEASED),
        (State.STARTED, State.RELEASED),  # lease lost
        (State.SENT, State.RELEASED),
    }
)


FIRST_EXTENSION_S = 0.25  # short requests end before, without an extension of their lease


@dataclass(slots=True, eq=False)
class Attempt:
    """Hold one attempt. Only the event loop of its worker reads and writes it.

    function: as it was when the attempt was claimed. lease_at: when the last confirmed lease was requested, in seconds
    of `clock.steady_s`. extend_at: when the next extension is due, in the same seconds. extended: set by the answer to
    an extension that is under way. is_reported: RQ shows it as started.
    leftovers: state that it left in its sandbox, as text; empty if another request may use the sandbox.
    cleanup_event: the normalised event as JSON text, for a cleanup hook in another sandbox. stop_saving: ends the wait
    for a file store that does not work; None while nothing is saved.
    """

    claim: Claim
    function: FunctionSpec
    lease_at: float
    extend_at: float
    state: State = State.WAITING
    record: AttemptRecord = field(default_factory=AttemptRecord)
    phases: PhaseLog = field(default_factory=PhaseLog)
    progress: Progress = (None, None)
    log_buffer: LogBuffer = field(default_factory=LogBuffer)
    extended: asyncio.Event | None = None
    is_reported: bool = False
    is_cleaned_up: bool = False
    leftovers: str = ""
    cleanup_event: bytes = b""
    interruption: BaseException | None = None
    spool: SpoolFile | None = None
    stop_saving: Event | None = None

    def move(self, state: State) -> None:
        """Enter a state. Raises AssertionError for a transition that must not occur."""
        assert (self.state, state) in MOVES, f"{self.state} -> {state}"
        self.state = state

    @property
    def request_id(self) -> UUID:
        return self.claim.request_id

    @property
    def phase(self) -> Phase:
        return self.phases.current

    @property
    def activity(self) -> str:
        """Describe the current work of its sandbox, as a clause for error messages."""
        return "while validating the event" if self.phase == Phase.VALIDATE else "while running the function"

    @property
    def must_not_repeat(self) -> bool:
        """Return True if the function may have begun, and must never start twice."""
        return self.claim.on_lost == "fail" and self.phase != Phase.VALIDATE

    @property
    def needs_preparation(self) -> bool:
        """Return True if files have to be copied, or the event checked, before its sandbox can start it."""
        return bool(self.claim.inputs) or self.function.schema_checked_outside

    @property
    def runs_alone(self) -> bool:
        """Return True if its sandbox may not start it right after another attempt."""
        return self.needs_preparation or self.function.has_cleanup or self.claim.on_lost == "fail"

    def log_fields(self) -> dict[str, Any]:
        """Return the fields by which log lines name it."""
        return {
            "request_id": str(self.claim.request_id),
            "attempt": self.claim.attempt,
            "function": self.claim.function_name,
            "worker": self.claim.worker,
        }

    def take_record(self, clock: Clock) -> AttemptRecord:
        """Return the record for its end: phases, and the log lines that are not stored yet."""
        self.record.phases = self.phases.records(clock)
        self.record.lines += self.log_buffer.take_rest(clock.now())
        return self.record
