"""Since when a worker has been busy or idle, in memory that it shares with its pool: to note it costs next to nothing.

The pool grows and shrinks by it.
"""

import mmap
import struct
import time

NUMBER = struct.Struct("d")


class Gauge:
    """Made by the pool before it forks the worker; the worker writes it, eight bytes in one go, the pool reads it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, NUMBER.size)  # anonymous and shared
        self.set_idle()

    def set_busy(self) -> None:
        """From now on with something new."""
        NUMBER.pack_into(self._memory, 0, time.monotonic())

    def set_idle(self) -> None:
        NUMBER.pack_into(self._memory, 0, -time.monotonic())

    def read(self) -> tuple[bool, float]:
        """Whether it is busy, and for how many seconds with the same, or idle."""
        (noted,) = NUMBER.unpack_from(self._memory)
        return noted > 0, time.monotonic() - abs(noted)

    def close(self) -> None:
        self._memory.close()
