"""The sign that the event loop of a worker turns, or why the worker failed, in memory shared with its pool.

A write costs nanoseconds, and the pool can read it after the worker has died.
"""

import mmap
import struct
import time

TICK_S = 0.5  # interval of the ticks
TIMESTAMP = struct.Struct("d")
MAX_REASON_BYTES = 1000


class WorkerActivity:
    """Share one number and a failure text. The pool creates it before it forks the worker, which alone writes it.

    The number is written in one store of eight bytes, so the pool needs no lock.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, TIMESTAMP.size + MAX_REASON_BYTES)  # anonymous and shared

    def tick(self) -> None:
        """Record that the event loop turns."""
        TIMESTAMP.pack_into(self._memory, 0, time.monotonic())

    def ticked_at(self) -> float:
        """Return when the event loop turned last, in seconds of `time.monotonic`; 0.0 before the start is complete."""
        return float(TIMESTAMP.unpack_from(self._memory)[0])

    def has_started(self) -> bool:
        """Return whether the start of the worker is complete."""
        return self.ticked_at() > 0

    def set_failure(self, reason: str) -> None:
        """Store why the worker fails."""
        text = reason.encode(errors="replace")[:MAX_REASON_BYTES]
        self._memory[TIMESTAMP.size : TIMESTAMP.size + len(text)] = text

    def failure(self) -> str:
        """Return why the worker failed; empty if it could not store a reason."""
        return self._memory[TIMESTAMP.size :].rstrip(b"\0").decode(errors="ignore")

    def close(self) -> None:
        self._memory.close()
