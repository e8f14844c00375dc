"""What a sandbox prints, cut where one request's output ends and the next one's begins.

The sandbox writes a mark behind the output of each request, before it answers. So output and answer belong together
although they come by different ways, and although requests follow one another without waiting for us.
"""

import os
import select
import time

READ_SIZE = 262_144
MARK_WAIT_S = 0.5  # an answer came, its mark did not: user code broke the pipe


class Stream:
    """Our end of a sandbox's stdout or stderr. fd: does not block."""

    def __init__(self, name: str, fd: int, mark: bytes) -> None:
        self.name = name
        self.fd = fd
        self.is_open = True
        self._mark = mark
        self._buffer = b""

    def read(self) -> bool:
        """Takes in what is in the pipe; whether there was anything."""
        try:
            data = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self.is_open = bool(data)
        self._buffer += data
        return self.is_open

    def until_mark(self) -> bytes:
        """What was printed before the next mark; the mark is in the pipe, unless user code broke it."""
        ends_at = time.monotonic() + MARK_WAIT_S
        while (at := self._buffer.find(self._mark)) < 0:
            remaining_s = ends_at - time.monotonic()
            if not self.is_open or remaining_s <= 0:
                return self.rest()
            if not self.read():
                select.select([self.fd], [], [], remaining_s)
        found, self._buffer = self._buffer[:at], self._buffer[at + len(self._mark) :]
        return found

    def so_far(self) -> bytes:
        """What was printed before the next mark, or what may be the beginning of one."""
        at = self._buffer.find(self._mark)
        if at < 0:
            start = self._buffer.rfind(self._mark[:1])
            at = start if start >= 0 and self._mark.startswith(self._buffer[start:]) else len(self._buffer)
        found, self._buffer = self._buffer[:at], self._buffer[at:]
        return found

    def rest(self) -> bytes:
        """All that is left, without marks: nobody will tell any more whose it is."""
        found, self._buffer = self._buffer.replace(self._mark, b""), b""
        return found
