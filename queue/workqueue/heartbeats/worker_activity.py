"""Activity of a worker, in memory shared with its pool: since when it is busy or idle, or why it failed.

A write costs nanoseconds, and the pool can read it after the worker has died. The autoscaler uses this activity.
"""

import mmap
import struct
import time

TIMESTAMP = struct.Struct("d")
MAX_REASON_BYTES = 1000


class WorkerActivity:
    """Share one number and a failure text. The pool creates it before it forks the worker, which alone writes it.

    The number is written in one store of eight bytes, so the pool needs no lock.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, TIMESTAMP.size + MAX_REASON_BYTES)  # anonymous and shared
        self.set_idle()
        self._first = self._memory[: TIMESTAMP.size]

    def set_busy(self) -> None:
        """Record that the worker starts with a request, or with the next one."""
        TIMESTAMP.pack_into(self._memory, 0, time.monotonic())

    def set_idle(self) -> None:
        """Record that the worker waits for a request."""
        TIMESTAMP.pack_into(self._memory, 0, -time.monotonic())

    def read(self) -> tuple[bool, float]:
        """Return whether the worker is busy, and for how many seconds it has been with this request, or idle."""
        (since,) = TIMESTAMP.unpack_from(self._memory)
        return since > 0, time.monotonic() - abs(since)

    def has_started(self) -> bool:
        """Return whether the worker has been busy or idle once, so that its start is complete."""
        return self._memory[: TIMESTAMP.size] != self._first

    def set_failure(self, reason: str) -> None:
        """Store why the worker fails."""
        text = reason.encode(errors="replace")[:MAX_REASON_BYTES]
        self._memory[TIMESTAMP.size : TIMESTAMP.size + len(text)] = text

    def failure(self) -> str:
        """Return why the worker failed; empty if it could not store a reason."""
        return self._memory[TIMESTAMP.size :].rstrip(b"\0").decode(errors="ignore")

    def close(self) -> None:
        self._memory.close()
