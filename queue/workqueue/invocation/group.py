"""What a worker claimed at once: requests that it runs one after another and finishes together.

The worker's own thread runs them. When one lasts, the keeper's thread finishes those that are done and lets those go
that were not begun, so the lock is held by whoever decides what becomes of a member.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable

from workqueue.invocation.attempt import Attempt
from workqueue.invocation.pace import BUDGET_S
from workqueue.lifecycle import Completion
from workqueue.sandboxes.sandbox import Sandbox

MOST_CHARACTERS = 1024 * 1024  # of results in one statement, unless one alone is larger


class Group:
    """Usually of one. Each member is waiting, running, done, or not here any more."""

    def __init__(self, attempts: Iterable[Attempt]) -> None:
        self.lock = threading.RLock()
        self.waiting = deque(attempts)
        self.running: Attempt | None = None
        self._taken: Attempt | None = None
        self.done: list[tuple[Attempt, Completion]] = []
        self.refused: list[tuple[Attempt, Exception]] = []  # could not be finished: the lease is lost, or cancelled
        self._done_since, self._done_characters = 0.0, 0

    def beyond(self, fitting: int) -> list[Attempt]:
        """Those behind the first `fitting` that wait."""
        return list(self.waiting)[fitting:]

    def take(self) -> Attempt | None:
        """The next to run; None when all have run."""
        with self.lock:
            self.running = self._taken = self.waiting.popleft() if self.waiting else None
            return self.running

    def followers(self, lead: Attempt) -> list[Attempt]:
        """Those behind it that its sandbox may get together with it; they are marked as sent."""
        found: list[Attempt] = []
        with self.lock:
            for attempt in self.waiting if lead.is_plain else ():
                if not (attempt.is_plain and attempt.claim.function is lead.claim.function):
                    break
                attempt.is_sent, attempt.sandbox, attempt.record.cold_start = True, lead.sandbox, False
                found.append(attempt)
        return found

    def with_sandboxes(self) -> list[Attempt]:
        """One for each sandbox that may be at work for this group."""
        held = [each for each in (self._taken, *self.waiting) if each is not None and each.sandbox is not None]
        return list({id(attempt.sandbox): attempt for attempt in held}.values())

    def follower(self) -> Attempt | None:
        """The next one, if a sandbox has got it already."""
        with self.lock:
            return self.waiting[0] if self.waiting and self.waiting[0].is_sent else None

    def call_back(self, sandbox: Sandbox | None) -> None:
        """Those that were sent and have not begun wait like any other. sandbox: None when it is gone."""
        with self.lock:
            sent = [attempt for attempt in self.waiting if attempt.is_sent]
            unbegun = len(sent) if sandbox is None else sandbox.turns.take_back()
            if unbegun > len(sent) and self.running is not None:
                # Its turn was taken back with the others': the sandbox had not come to it yet.
                self.running.is_called_back, unbegun = True, len(sent)
            for attempt in sent[len(sent) - unbegun :]:
                attempt.is_sent, attempt.sandbox = False, None

    def release(self, attempt: Attempt) -> None:
        """No extension of its lease is under way or follows: the next write to the request is the attempt's last."""
        with self.lock:
            if self.running is attempt:
                self.running = None

    def complete(self, attempt: Attempt, completion: Completion) -> None:
        """It came to its result, and waits for the transaction that finishes all that are done."""
        with self.lock:
            self.release(attempt)
            if not self.done:
                self._done_since, self._done_characters = time.monotonic(), 0
            self._done_characters += len(completion.data)
            self.done.append((attempt, completion))

    def is_due(self) -> bool:
        """Whether the first that is done has waited long enough for the others, or there are no others."""
        waited_s = time.monotonic() - self._done_since
        enough = not self.waiting or waited_s >= BUDGET_S or self._done_characters >= MOST_CHARACTERS
        return bool(self.done) and enough

    def neighbours_wait(self) -> bool:
        """Whether the one that runs keeps others waiting."""
        return bool(self.waiting or self.done or self.refused)
