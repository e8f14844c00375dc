"""What a worker claimed at once: requests that it runs one after another and finishes together.

The worker's own thread runs them. While one runs, the keeper's thread writes: it extends the lease, finishes those that
are done, and lets those go that were not begun. A silent database may hold up whoever writes for seconds; it must not
hold up whoever watches the deadline of what a sandbox is at.
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

MAX_STATEMENT_CHARACTERS = 1024 * 1024  # of results in one statement, unless one alone is larger

CompletedAttempt = tuple[Attempt, Completion]


class Batch:
    """Usually of one. Each member is waiting, running, done, or not here any more."""

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        self._lock = threading.RLock()  # of what stands here; never held while anybody else is asked
        self.write_lock = threading.RLock()  # held by who writes members; not waited for while a sandbox is at work
        self.waiting = deque(attempts)
        self.running: Attempt | None = None
        self._last_popped: Attempt | None = None
        self._completed: list[CompletedAttempt] = []
        self.rejected: list[tuple[Attempt, Exception]] = []  # could not be finished: the lease is lost, or cancelled
        self._completed_since = 0.0

    def next_attempt(self) -> Attempt | None:
        """The next to run; None when all have run."""
        if (attempt := self._pop_waiting()) is None:
            with self.write_lock:  # those on their way back to the queue may come back
                attempt = self._pop_waiting()
        return attempt

    def _pop_waiting(self) -> Attempt | None:
        with self._lock:
            self.running = self._last_popped = self.waiting.popleft() if self.waiting else None
            return self.running

    def detach_unsent(self, keep: int) -> list[Attempt]:
        """All behind the first `keep` that no sandbox has got: nobody takes them now."""
        with self._lock:
            aside = [attempt for attempt in list(self.waiting)[keep:] if not attempt.is_sent]
            self.waiting = deque(attempt for attempt in self.waiting if attempt not in aside)
            return aside

    def reattach(self, aside: Iterable[Attempt]) -> None:
        """They wait again, as before."""
        with self._lock:
            self.waiting.extend(aside)

    def prefetch_with(self, lead: Attempt) -> list[Attempt]:
        """Those behind it that its sandbox may get together with it; they are marked as sent."""
        found: list[Attempt] = []
        with self._lock:
            for attempt in self.waiting if lead.is_prefetchable else ():
                if not (attempt.is_prefetchable and attempt.claim.function is lead.claim.function):
                    break
                attempt.is_sent, attempt.sandbox, attempt.record.cold_start = True, lead.sandbox, False
                found.append(attempt)
        return found

    def attempts_with_sandboxes(self) -> list[Attempt]:
        """One for each sandbox that may be at work for this group."""
        held = [each for each in (self._last_popped, *self.waiting) if each is not None and each.sandbox is not None]
        return list({id(attempt.sandbox): attempt for attempt in held}.values())

    def next_prefetched(self) -> Attempt | None:
        """The next one, if a sandbox has got it already."""
        with self._lock:
            return self.waiting[0] if self.waiting and self.waiting[0].is_sent else None

    def recall_unstarted(self, sandbox: SandboxConnection | None) -> None:
        """Those that were sent and have not begun wait like any other. sandbox: None when it is gone."""
        with self._lock:
            sent = [attempt for attempt in self.waiting if attempt.is_sent]
            unbegun = len(sent) if sandbox is None else sandbox.start_tokens.revoke()
            if unbegun > len(sent) and self.running is not None:
                # Its turn was taken back with the others': the sandbox had not come to it yet.
                self.running.is_recalled, unbegun = True, len(sent)
            for attempt in sent[len(sent) - unbegun :]:
                attempt.is_sent, attempt.sandbox = False, None

    def stop_renewing(self, attempt: Attempt) -> None:
        """No extension of its lease is under way or follows: the next write to the request is the attempt's last."""
        with self.write_lock:
            self._clear_running(attempt)

    def add_completed(self, attempt: Attempt, completion: Completion) -> None:
        """It came to its result, and waits for the transaction that finishes all that are done."""
        with self._lock:
            self._clear_running(attempt)
            if not self._completed:
                self._completed_since = time.monotonic()
            self._completed.append((attempt, completion))

    def reject(self, attempt: Attempt, error: Exception) -> None:
        """It came to no result, or it was not stored; it is settled when there is time."""
        with self._lock:
            self._clear_running(attempt)
            self.rejected.append((attempt, error))

    def completed_chunk(self) -> list[CompletedAttempt]:
        """What one transaction may finish of those that are done, the first in any case."""
        with self._lock:
            characters = accumulate(len(completion.data) for _, completion in self._completed)
            fitting = sum(total <= MAX_STATEMENT_CHARACTERS for total in characters)
            return self._completed[: max(1, fitting)]

    def record_stored(self, done: Sequence[CompletedAttempt], refused: Mapping[UUID, Exception]) -> None:
        """These were finished, or refused."""
        with self._lock:
            del self._completed[: len(done)]
            self._completed_since = time.monotonic()
            self.rejected += [(attempt, refused[id]) for attempt, _ in done if (id := attempt.request_id) in refused]

    def is_flush_due(self) -> bool:
        """Whether the first that is done has waited long enough for the others, or there are no others."""
        return bool(self._completed) and (not self.waiting or self.is_flush_overdue())

    def is_flush_overdue(self) -> bool:
        """Whether it has waited long enough, also while another one runs."""
        return bool(self._completed) and time.monotonic() - self._completed_since >= MAX_WAIT_S

    def _clear_running(self, attempt: Attempt) -> None:
        with self._lock:
            if self.running is attempt:
                self.running = None

    def has_blocked_members(self) -> bool:
        """Whether the one that runs keeps others waiting."""
        return bool(self.waiting or self._completed or self.rejected)
