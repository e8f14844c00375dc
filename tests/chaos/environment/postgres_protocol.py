"""Read the part of PostgreSQL's frontend/backend protocol that the proxy needs: messages, COMMIT, ReadyForQuery.

Source: PostgreSQL's documentation, "Message Formats". After the startup packet every message is a type byte, a length
of four bytes that counts itself, and the rest.
"""

import asyncio
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
QUERY, PARSE, BIND, TERMINATE = b"Q", b"P", b"B", b"X"
READY = b"Z"
COMMIT = re.compile(rb"\s*(COMMIT|END)\b", re.IGNORECASE)
SHOWN = 100


class ConnectionLost(Exception):  # noqa: N818 - no error
    """Report a connection that one side closed, or that the proxy cuts."""


@dataclass(frozen=True, slots=True)
class Message:
    raw: bytes
    is_commit: bool


@dataclass
class Client:
    """Handle the runtime's side of a connection.

    last_statement: the last statement except transaction control.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    last_statement: str = ""
    _prepared: dict[bytes, bytes] = field(default_factory=dict)

    async def receive(self) -> Message:
        raw = await read_message(self.reader)
        kind, body = raw[:1], raw[5:]
        statement = b""
        if kind == QUERY:
            statement = body.rstrip(b"\0")
        elif kind == PARSE:
            name, statement, _ = body.split(b"\0", 2)
            self._prepared[name] = statement
        elif kind == BIND:
            statement = self._prepared.get(body.split(b"\0", 2)[1], b"")
        is_commit = kind == QUERY and COMMIT.match(statement) is not None
        self._note(statement)
        return Message(raw, is_commit)

    def _note(self, statement: bytes) -> None:
        words = b" ".join(statement.split())
        if words and not re.match(rb"(BEGIN|COMMIT|ROLLBACK|SET)\b", words, re.IGNORECASE):
            self.last_statement = words[:SHOWN].decode(errors="replace")


@dataclass
class Server:
    """Handle PostgreSQL's side of a connection.

    delay_s: tells the delay of an answer. is_muted: its answers are dropped. ready: set when it has answered.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    delay_s: Callable[[], float]
    is_muted: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def pass_on(self, client: Client) -> None:
        while True:
            raw = await read_message(self.reader)
            if raw[:1] == READY:
                await asyncio.sleep(self.delay_s())
            if not self.is_muted:
                client.writer.write(raw)
                await client.writer.drain()
            elif raw[:1] == READY:
                self.ready.set()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!I", head[1:])
    return head + await reader.readexactly(length - 4)


async def read_startup(client: Client) -> bytes:
    """Read the startup packet; decline requests for encryption before it."""
    while True:
        head = await client.reader.readexactly(4)
        (length,) = struct.unpack("!I", head)
        body = await client.reader.readexactly(length - 4)
        (code,) = struct.unpack("!I", body[:4])
        if code not in (SSL_REQUEST, GSS_REQUEST):
            return head + body
        client.writer.write(b"N")
