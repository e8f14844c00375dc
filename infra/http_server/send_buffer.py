"""Buffer the response bytes that a client has not received yet: few in memory, more in a temporary file."""

import os
import socket
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import IO, Any

IN_MEMORY_BYTES = 16 * 1024
PIECE_BYTES = 256 * 1024  # sent at a time, so that a fast client does not occupy the event loop


@dataclass(slots=True)
class FilePart:
    """Reference a part of a file to send. is_own: close the descriptor afterwards."""

    descriptor: int
    offset: int
    count: int
    is_own: bool


class SendBuffer:
    """Queue bytes and parts of files in sending order."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: deque[memoryview | FilePart] = deque()
        self._spool: IO[bytes] | None = None
        self._in_memory = self._spooled = 0

    def add(self, data: memoryview) -> None:
        """Append a copy of the bytes. Raises OSError and appends nothing when the disk is full."""
        if self._in_memory + len(data) <= IN_MEMORY_BYTES:
            self._parts.append(memoryview(bytes(data)))
            self._in_memory += len(data)
        else:
            self._add_to_spool(data)
        self.size += len(data)

    def _add_to_spool(self, data: memoryview) -> None:
        if self._spool is None:
            self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when all is sent
        descriptor, last = self._spool.fileno(), self._parts[-1] if self._parts else None
        if os.pwrite(descriptor, data, self._spooled) < len(data):
            raise OSError("the disk is full; the response cannot be buffered")
        if isinstance(last, FilePart) and last.descriptor == descriptor:
            last.count += len(data)
        else:
            self._parts.append(FilePart(descriptor, self._spooled, len(data), is_own=False))
        self._spooled += len(data)

    def add_file(self, descriptor: int, offset: int, count: int) -> None:
        """Append a part of a file. The caller may then close its own descriptor."""
        self._parts.append(FilePart(os.dup(descriptor), offset, count, is_own=True))
        self.size += count

    def send(self, client: socket.socket) -> int:
        """Send what the client receives now, and return the number of bytes. Raises OSError for a closed connection."""
        total = 0
        while self._parts and total < PIECE_BYTES:
            part = self._parts[0]
            try:
                sent = self._send_file(client, part) if isinstance(part, FilePart) else self._send_bytes(client, part)
            except BlockingIOError:
                break
            self.size -= sent
            total += sent
        if not self._parts:
            self.close()
        return total

    def _send_bytes(self, client: socket.socket, part: memoryview) -> int:
        sent = send_now(client, part)
        self._in_memory -= sent
        if sent == len(part):
            self._parts.popleft()
        else:
            self._parts[0] = part[sent:]
        return sent

    def _send_file(self, client: socket.socket, part: FilePart) -> int:
        """Send from a file. Raises BrokenPipeError if the file was truncated: the client must not wait for the rest."""
        data = os.pread(part.descriptor, min(part.count, PIECE_BYTES), part.offset)
        if not data:
            raise BrokenPipeError("the file is shorter than the announced length")
        sent = send_now(client, data)
        part.offset += sent
        part.count -= sent
        if not part.count:
            self._parts.popleft()
            _release(part)
        return sent

    def close(self) -> None:
        """Drop everything that is left."""
        for part in self._parts:
            if isinstance(part, FilePart):
                _release(part)
        self._parts.clear()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        self.size = self._in_memory = self._spooled = 0


def send_now(client: socket.socket, data: Any, flags: int = 0) -> int:
    """Send the bytes that the client receives now, and return their number. Raises BlockingIOError if it takes none."""
    if sys.platform != "linux":
        return _send_unblocked(client, data, flags)
    return client.send(data, flags | socket.MSG_DONTWAIT)


def _send_unblocked(client: socket.socket, data: Any, flags: int) -> int:
    """Send without waiting on macOS, which ignores MSG_DONTWAIT in send(2): a slow client would stop the event loop."""
    descriptor, was_blocking = client.fileno(), os.get_blocking(client.fileno())
    os.set_blocking(descriptor, False)
    try:
        return client.send(data, flags)
    finally:
        os.set_blocking(descriptor, was_blocking)


def _release(part: FilePart) -> None:
    if part.is_own:
        os.close(part.descriptor)
