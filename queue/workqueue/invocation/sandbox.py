"""One sandbox of this worker: its process and channels, its working directory, and the attempts that it was sent."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from schema.statuses import Phase
from workqueue.files.working_directory import WorkingDirectory
from workqueue.invocation.attempt import Attempt, State
from workqueue.invocation.attempt_files import describe
from workqueue.logs.buffer import LogBuffer
from workqueue.logs.spool_file import SpoolFile
from workqueue.outcomes import AttemptEndedError, OutOfMemoryError, TimedOutError
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.connection import Frame, SandboxConnection
from workqueue.sandboxes.exits.memory_watch import MemoryWatch, OomKills
from workqueue.sandboxes.process import SandboxProcess, are_unchanged

CODE_CHECK_S = 0.05  # a sandbox at work compares its code with the disk this often


class Sandbox:
    """Hold one sandbox. Only the event loop of its worker uses it. Raises OSError if no descriptor is left.

    pidfd: readable once the process has ended; unset where the system has no such descriptors (macOS).
    key: identifies the code it has loaded; another sandbox with the same key can replace it. ready: its description of
    its function; unset while it imports. has_started: the SDK runs, so a failure from here on is an error of user code.
    sent: attempts that it has not answered, in order. The first one runs, waits for the import, or is cleaned up.
    ends_at: when it is killed, in seconds of `time.monotonic`, unless it answers before. limit_s, activity: for the
    error message then; activity is a clause such as "while importing", unset during a phase of the attempt.
    is_slow: its current work has taken long, so it does not count among the sandboxes for short requests.
    is_held: no further attempt may be sent, since a result is being saved or a hook runs. is_ending: it is being
    killed. leaves_directory_clean: its last request left the working directory empty.
    halts: answers after which it waits for the worker.
    is_fresh: it has not answered an attempt yet. ended: set when its processes are gone.
    waiter: gets the next last frame, in place of `answered`.
    """

    def __init__(
        self, process: SandboxProcess, key: str, max_body: int, directory: WorkingDirectory, spool: SpoolFile
    ) -> None:
        self.pidfd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
        self.process, self.key, self.directory, self.spool = process, key, directory, spool
        self.connection = SandboxConnection(process, max_body)
        self.ready: dict[str, Any] | None = None
        self.has_started = False
        self.sent: deque[Attempt] = deque()
        self.running_since = self.used_at = time.monotonic()
        self.ends_at = float("inf")
        self.limit_s = 0.0
        self.activity: str | None = None
        self.memory_mb: int | None = None
        self.watch: MemoryWatch | None = None
        self.is_slow = self.is_held = self.is_ending = self.leaves_directory_clean = False
        self.is_fresh = True
        self.halts = 0
        self.ended = asyncio.Event()
        self.waiter: asyncio.Future[Frame] | None = None
        self._checked_at = 0.0

    @property
    def id(self) -> str:
        return self.process.id

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def first(self) -> Attempt | None:
        return self.sent[0] if self.sent else None

    @property
    def can_take_more(self) -> bool:
        """Return True if attempts may be sent, to run after those that it has."""
        return self.ready is not None and not (self.is_held or self.is_slow or self.is_ending)

    def set_deadline(self, limit_s: float, activity: str | None = None, memory_mb: int | None = None) -> None:
        """Set a time limit for its current work. memory_mb: its memory limit; None for no limit."""
        self.running_since = time.monotonic()
        self.limit_s, self.activity, self.memory_mb = limit_s, activity, memory_mb
        self.ends_at = self.running_since + limit_s
        self.is_slow = False
        self.watch = None

    def clear_deadline(self) -> None:
        """Remove the time limit: no user code runs in it."""
        self.ends_at = float("inf")

    def reason_to_kill(self, now: float, oom_kills: OomKills | None) -> AttemptEndedError | None:
        """Return the reason to kill it now, if there is one. oom_kills: to check its memory, too; None not to."""
        if now >= self.ends_at:
            return TimedOutError(f"It was killed after {self.limit_s:g} s {self.describe_activity()}.")
        if oom_kills is None:
            return None
        if self.watch is None:  # most requests end before
            self.watch = MemoryWatch(self.pid, self.memory_mb, oom_kills)
        resident_mb = self.watch.measure_excess()
        if resident_mb is None:
            return None
        return OutOfMemoryError(f"It was killed at {resident_mb:.0f} MB of memory; {self.memory_mb} MB are allowed.")

    def describe_activity(self) -> str:
        """Describe its current work, as a clause for error messages."""
        return self.activity or (self.first.activity if self.first else "while idle")

    def begin_first(self, *, is_prepared: bool = False) -> None:
        """Start the phases and the deadline of the first attempt. is_prepared: its files are in place."""
        attempt, self.leaves_directory_clean = self.sent[0], False
        if not attempt.phases.times:
            attempt.phases.begin(Phase.VALIDATE)
        has_checks = self.ready is None or self.ready.get("has_checks")  # it reports the end of its validation
        if not has_checks and (is_prepared or not attempt.needs_preparation):
            attempt.phases.begin(Phase.PROCESS)
        self.set_deadline(attempt.function.timeout_s, memory_mb=attempt.function.memory_mb)

    def send_run(self, attempts: Sequence[Attempt], now: datetime, lease_s: float) -> None:
        """Send attempts, with a start token for each. Raises OSError if user code has broken the tokens' socket."""
        directory = self.directory.path
        head = {
            "type": "run",
            "round": self.connection.start_tokens.grant(len(attempts)),
            "halts": self.halts,
            "workdir": str(directory),
            "wall_offset": now.timestamp() - time.monotonic(),
            "limit_s": attempts[0].function.timeout_s,
            "valid_until": min(attempt.lease_at for attempt in attempts) + lease_s / 2,
            "members": [describe(attempt, directory) for attempt in attempts],
        }
        self.connection.send(head, f"[{','.join(attempt.claim.event for attempt in attempts)}]".encode())

    def add(self, attempt: Attempt) -> None:
        """Add an attempt behind those that it has."""
        self.sent.append(attempt)
        attempt.spool = self.spool
        attempt.log_buffer = LogBuffer(partial(self.spool.append, attempt.claim))
        attempt.move(State.STARTED if len(self.sent) == 1 else State.SENT)
        if attempt.record.cold_start is None:
            attempt.record.cold_start = self.ready is None

    def pop_answered(self) -> Attempt:
        """Remove the first attempt, which has ended. The next one has started."""
        attempt = self.sent.popleft()
        if self.sent:
            self.sent[0].move(State.STARTED)
        return attempt

    def recall(self) -> list[Attempt]:
        """Take back the attempts that it has not started; they wait again. Return them in order."""
        count = min(self.connection.start_tokens.revoke(), len(self.sent))
        return self._take_back(count)

    def take_back_all(self) -> list[Attempt]:
        """Take back all attempts: it has started none of them."""
        self.connection.start_tokens.revoke()
        return self._take_back(len(self.sent))

    def take_back_unstarted(self, *, keep: int) -> list[Attempt]:
        """Take back the attempts that it will never start, since it has ended; not the first `keep` ones."""
        count = max(self.connection.start_tokens.count_unstarted(), len(self.sent) - 1)  # at most one has started
        return self._take_back(min(count, max(0, len(self.sent) - keep)))

    def _take_back(self, count: int) -> list[Attempt]:
        taken = [self.sent.pop() for _ in range(count)]
        for attempt in taken:
            attempt.move(State.WAITING)
            attempt.phases.restart()
            attempt.record.cold_start = None
        return taken[::-1]

    def is_reusable(self) -> bool:
        """Return True if it is alive, has no children, and imported the code that is on disk now."""
        self._checked_at = time.monotonic()
        return (
            self.process.process.poll() is None
            and self.ready is not None
            and process_tree.is_idle(self.pid)
            and are_unchanged(self.ready.get("files"))
        )

    def has_current_code(self) -> bool:
        """Return whether the code on disk is the code that it has imported, as of a moment ago."""
        if time.monotonic() - self._checked_at >= CODE_CHECK_S:
            self._checked_at = time.monotonic()
            return self.ready is not None and are_unchanged(self.ready.get("files"))
        return True

    async def ask(self) -> Frame:
        """Return the sandbox's next last frame. Raises the reason for which it ended before."""
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            return await self.waiter
        finally:
            self.waiter = None

    def close(self) -> None:
        """Close its channels and remove its files, after its end."""
        self.process.close()
        if self.pidfd is not None:
            os.close(self.pidfd)
        self.spool.close()
        self.directory.remove()
