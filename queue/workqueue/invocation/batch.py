"""Hold the requests that a worker claimed together: it runs them one after another, and finishes them together.

The worker's own thread runs them. While one runs, the lease renewer's thread writes to the database: it extends the
lease, commits completed members, and releases unstarted ones. An unresponsive database may block the writing thread for
seconds, and must never block the thread that watches the deadline of a sandbox.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from uuid import UUID

from workqueue.invocation.attempt import Attempt
from workqueue.invocation.batch_sizing import MAX_WAIT_S
from workqueue.lifecycle import Completion
from workqueue.sandboxes.connection import SandboxConnection

MAX_STATEMENT_CHARACTERS = 1024 * 1024  # of results in one statement; a single larger one has a statement of its own

CompletedAttempt = tuple[Attempt, Completion]


class Batch:
    """Hold the members by state: waiting, running, completed, rejected. Most batches have one member."""

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        self._lock = threading.RLock()  # guards the fields; never held during a call to another object
        # Held by the thread that writes members. The worker's thread waits for it only while no sandbox runs.
        self.write_lock = threading.RLock()
        self.waiting = deque(attempts)
        self.running: Attempt | None = None
        self._last_popped: Attempt | None = None
        self._completed: list[CompletedAttempt] = []
        self.rejected: list[tuple[Attempt, Exception]] = []  # not finished: lease lost, cancelled, not storable
        self._completed_since = 0.0

    def next_attempt(self) -> Attempt | None:
        """Make the next waiting member the running one and return it; None when all have run."""
        if (attempt := self._pop_waiting()) is None:
            with self.write_lock:  # a release that fails reattaches its members
                attempt = self._pop_waiting()
        return attempt

    def _pop_waiting(self) -> Attempt | None:
        with self._lock:
            self.running = self._last_popped = self.waiting.popleft() if self.waiting else None
            return self.running

    def detach_unsent(self, keep: int) -> list[Attempt]:
        """Remove and return the waiting members behind the first `keep` that were not sent, so that none starts."""
        with self._lock:
            detached = [attempt for attempt in list(self.waiting)[keep:] if not attempt.is_sent]
            self.waiting = deque(attempt for attempt in self.waiting if attempt not in detached)
            return detached

    def reattach(self, detached: Iterable[Attempt]) -> None:
        """Let detached members wait again."""
        with self._lock:
            self.waiting.extend(detached)

    def prefetch_with(self, lead: Attempt) -> list[Attempt]:
        """Mark as sent, and return, the members behind `lead` that may be sent to its sandbox together with it."""
        followers: list[Attempt] = []
        with self._lock:
            for attempt in self.waiting if lead.is_prefetchable else ():
                if not (attempt.is_prefetchable and attempt.claim.function is lead.claim.function):
                    break
                attempt.is_sent, attempt.sandbox, attempt.record.cold_start = True, lead.sandbox, False
                followers.append(attempt)
        return followers

    def attempts_with_sandboxes(self) -> list[Attempt]:
        """Return one attempt for each sandbox that may run a member."""
        candidates = (self._last_popped, *self.waiting)
        held = [attempt for attempt in candidates if attempt is not None and attempt.sandbox is not None]
        return list({id(attempt.sandbox): attempt for attempt in held}.values())

    def next_prefetched(self) -> Attempt | None:
        """Return the next waiting member if it was sent to a sandbox already, else None."""
        with self._lock:
            return self.waiting[0] if self.waiting and self.waiting[0].is_sent else None

    def recall_unstarted(self, sandbox: SandboxConnection | None) -> None:
        """Let members wait again that were sent to the sandbox and did not start. sandbox: None if it has ended."""
        with self._lock:
            sent = [attempt for attempt in self.waiting if attempt.is_sent]
            unstarted = len(sent) if sandbox is None else sandbox.start_tokens.revoke()
            if unstarted > len(sent) and self.running is not None:
                # Its start token was revoked with the others': the sandbox had not started it yet.
                self.running.is_recalled, unstarted = True, len(sent)
            for attempt in sent[len(sent) - unstarted :]:
                attempt.is_sent, attempt.sandbox = False, None

    def stop_renewing(self, attempt: Attempt) -> None:
        """Stop extending its lease, and wait for an extension under way: the next write to its request is its last."""
        with self.write_lock:
            self._clear_running(attempt)

    def add_completed(self, attempt: Attempt, completion: Completion) -> None:
        """Add a member that has its result, to be finished with the next transaction."""
        with self._lock:
            self._clear_running(attempt)
            if not self._completed:
                self._completed_since = time.monotonic()
            self._completed.append((attempt, completion))

    def reject(self, attempt: Attempt, error: Exception) -> None:
        """Add a member without a stored result, to be handled when no sandbox needs the worker's thread."""
        with self._lock:
            self._clear_running(attempt)
            self.rejected.append((attempt, error))

    def completed_chunk(self) -> list[CompletedAttempt]:
        """Return the completed members that the next transaction finishes: at least one, bounded by their size."""
        with self._lock:
            characters = accumulate(len(completion.data) for _, completion in self._completed)
            fitting = sum(total <= MAX_STATEMENT_CHARACTERS for total in characters)
            return self._completed[: max(1, fitting)]

    def record_stored(self, members: Sequence[CompletedAttempt], rejected: Mapping[UUID, Exception]) -> None:
        """Remove members that were finished; keep the rejected ones with their errors."""
        with self._lock:
            del self._completed[: len(members)]
            self._completed_since = time.monotonic()
            self.rejected += [
                (attempt, rejected[id]) for attempt, _ in members if (id := attempt.request_id) in rejected
            ]

    def is_flush_due(self) -> bool:
        """Return whether to commit now: no member waits, or the first completed one has waited long enough."""
        return bool(self._completed) and (not self.waiting or self.is_flush_overdue())

    def is_flush_overdue(self) -> bool:
        """Return whether the first completed member has waited long enough, also while another one runs."""
        return bool(self._completed) and time.monotonic() - self._completed_since >= MAX_WAIT_S

    def _clear_running(self, attempt: Attempt) -> None:
        with self._lock:
            if self.running is attempt:
                self.running = None

    def has_blocked_members(self) -> bool:
        """Return whether others wait for the running member."""
        return bool(self.waiting or self._completed or self.rejected)
