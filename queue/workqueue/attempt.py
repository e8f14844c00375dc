"""The value that the steps of an invocation work on: one attempt, its phases, its output, its interruption."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from schema.statuses import Phase
from workqueue.clock import Clock
from workqueue.doorbell import Doorbell
from workqueue.interruptions import AttemptEndedError
from workqueue.lending import SandboxClient
from workqueue.lifecycle import Claim, Record
from workqueue.logbook import Logbook
from workqueue.sandbox import Sandbox
from workqueue.store import FileStore

Progress = tuple[float | None, str | None]  # a fraction from 0 to 1, and a short text


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a worker process invokes requests with. work_folder: where working directories are made.

    given_up: set when the grace of a stop is over; writes no longer wait for an absent database then.
    """

    worker: str
    queues: tuple[str, ...]
    engine: Engine
    doorbell: Doorbell
    clock: Clock
    sandboxes: SandboxClient
    store: FileStore
    work_folder: Path
    lease_s: float
    given_up: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Attempt:
    """One try at a request, while it is under way.

    interruption: set from another thread when the attempt has to end; the driving loop raises it.
    cleanup_event: the normalised event as JSON text, for a cleanup in another sandbox.
    """

    claim: Claim
    clock: Clock
    workdir: Path
    record: Record = field(default_factory=Record)
    logbook: Logbook = field(default_factory=Logbook)
    sandbox: Sandbox | None = None
    phase: Phase = Phase.VALIDATE
    progress: Progress = (None, None)
    interruption: BaseException | None = None
    is_cleaned_up: bool = False
    cleanup_event: bytes = b""
    deadline: datetime | None = None

    @property
    def request_id(self) -> UUID:
        return self.claim.request_id

    def log_fields(self) -> dict[str, Any]:
        return {
            "request_id": str(self.claim.request_id),
            "attempt": self.claim.attempt,
            "function": self.claim.function_name,
        }

    def begin(self, phase: Phase) -> None:
        """Closes the phase before as done, if it is open, and starts this one."""
        self.end_phase("ok")
        self.phase = phase
        self.record.phases.append({"phase": phase, "started_at": self.clock.now().isoformat()})

    def end_phase(self, outcome: str, error: str | None = None) -> None:
        if not self.record.phases or "outcome" in self.record.phases[-1]:
            return
        entry, now = self.record.phases[-1], self.clock.now()
        entry["finished_at"] = now.isoformat()
        took = now - datetime.fromisoformat(entry["started_at"])
        entry["duration_ms"] = round(took.total_seconds() * 1000, 3)
        entry["outcome"] = outcome
        if error:
            entry["error"] = error

    @contextmanager
    def in_phase(self, phase: Phase) -> Iterator[None]:
        """A phase that is done when the block ends, and failed when it raises."""
        self.begin(phase)
        try:
            yield
        except AttemptEndedError as end:
            self.end_phase(end.outcome, str(end))
            raise
        self.end_phase("ok")
