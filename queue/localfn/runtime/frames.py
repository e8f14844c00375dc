"""Encode and decode the frames between a worker and its sandbox, on a stream socket.

A frame is two big-endian 32-bit lengths, the head (a JSON object with a "type") and the body (bytes). The body is an
event or a result as JSON text: neither side parses JSON that it only forwards.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

LENGTHS = struct.Struct("!II")
ENCODER = json.JSONEncoder(separators=(",", ":"))  # json.dumps makes a new one for each frame
MAX_HEAD = 4 * 1024 * 1024  # bytes; a description with a large input schema stays far below it


class FrameError(Exception):
    """Report bytes that are not a frame: user code wrote to the socket."""


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    encoded = ENCODER.encode(head).encode()
    return LENGTHS.pack(len(encoded), len(body)) + encoded + body


def write(sock: socket.socket, head: dict[str, Any], body: bytes = b"") -> None:
    """Send one whole frame. Raises OSError if the other side is gone."""
    sock.sendall(encode(head, body))


class Reader:
    """Join received pieces to frames."""

    def __init__(self, max_body: int) -> None:
        self.max_body = max_body
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> tuple[dict[str, Any], bytes] | None:
        """Return the next whole frame as (head, body), None while it is incomplete. Raises FrameError."""
        if len(self._buffer) < LENGTHS.size:
            return None
        head_size, body_size = LENGTHS.unpack_from(self._buffer)
        if head_size > MAX_HEAD or body_size > self.max_body:
            raise FrameError(f"a frame of {head_size} + {body_size} bytes")
        end = LENGTHS.size + head_size + body_size
        if len(self._buffer) < end:
            return None
        raw = bytes(self._buffer[LENGTHS.size : LENGTHS.size + head_size])
        body = bytes(self._buffer[LENGTHS.size + head_size : end])
        del self._buffer[:end]
        return _head(raw), body


def read(sock: socket.socket, reader: Reader) -> tuple[dict[str, Any], bytes] | None:
    """Wait for a whole frame; return None when the other side has closed the socket."""
    while (frame := reader.next()) is None:
        data = sock.recv(262_144)
        if not data:
            return None
        reader.feed(data)
    return frame


def _head(raw: bytes) -> dict[str, Any]:
    try:
        head = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FrameError("the head is not JSON") from error
    if not isinstance(head, dict) or not isinstance(head.get("type"), str):
        raise FrameError("the head has no type")
    return head
