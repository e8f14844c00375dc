"""What a worker notes in memory that it shares with its pool: since when it has been busy or idle, or why it failed.

To note it costs next to nothing, and what a dead worker noted is still there. The pool grows and shrinks by it.
"""

import mmap
import struct
import time

NUMBER = struct.Struct("d")
REASON_BYTES = 1000


class WorkerActivity:
    """Made by the pool before it forks the worker; the worker writes it, eight bytes in one go, the pool reads it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, NUMBER.size + REASON_BYTES)  # anonymous and shared
        self.set_idle()
        self._first = self._memory[: NUMBER.size]

    def set_busy(self) -> None:
        """From now on with something new."""
        NUMBER.pack_into(self._memory, 0, time.monotonic())

    def set_idle(self) -> None:
        NUMBER.pack_into(self._memory, 0, -time.monotonic())

    def read(self) -> tuple[bool, float]:
        """Whether it is busy, and for how many seconds with the same, or idle."""
        (noted,) = NUMBER.unpack_from(self._memory)
        return noted > 0, time.monotonic() - abs(noted)

    def has_started(self) -> bool:
        """Return whether the worker has looked for work, ever."""
        return self._memory[: NUMBER.size] != self._first

    def set_failure(self, reason: str) -> None:
        """Note why the worker ends."""
        text = reason.encode(errors="replace")[:REASON_BYTES]
        self._memory[NUMBER.size : NUMBER.size + len(text)] = text

    def failure(self) -> str:
        """Return why it ended, as far as it could say so."""
        return self._memory[NUMBER.size :].rstrip(b"\0").decode(errors="ignore")

    def close(self) -> None:
        self._memory.close()
