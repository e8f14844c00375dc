"""Attack the HTTP edge with many clients, each attack for some seconds."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from benchmarks.crowd.wire import Target, connection, crowd, drip, send

LATER = "delay_s=86400"  # stored and not run: the web processes are measured, not the workers
MIB = 1024 * 1024
Attack = Callable[[Target, float], Awaitable[None]]


async def nothing(_: Target, seconds: float) -> None:
    """Attack nothing: the base for comparison."""
    await asyncio.sleep(seconds)


async def slow_heads(target: Target, seconds: float) -> None:
    """Open 40 connections a second, each with one byte."""
    await crowd(40, seconds, lambda _: asyncio.wait({asyncio.ensure_future(drip(target, b"", b"G", 10))}, timeout=1))


async def trickling_heads(target: Target, seconds: float) -> None:
    """Open 400 connections that never end their head."""
    head = target.head("GET /api/functions HTTP/1.1")[:-2]
    await crowd(400, seconds, lambda number: drip(target, head, f"X{number}: y\r\n".encode(), 0.5))


async def slow_uploads(target: Target, seconds: float) -> None:
    """Send 140 uploads at 10 KiB/s."""
    head = target.head(
        f"POST /api/functions/noop?{LATER} HTTP/1.1",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {50 * MIB}",
    )
    head += b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    await crowd(140, seconds, lambda _: drip(target, head, b"x" * 10_240, 1))


async def slow_events(target: Target, seconds: float) -> None:
    """Send 140 events of 1 MiB at 10 KiB/s."""
    head = target.post(f"/api/functions/noop?{LATER}", b"x" * MIB)[:-MIB]
    await crowd(140, seconds, lambda _: drip(target, head, b" " * 10_240, 1))


async def endless_chunks(target: Target, seconds: float) -> None:
    """Send 40 chunked bodies without an end."""
    head = target.head(
        f"POST /api/functions/noop?{LATER} HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )
    await crowd(40, seconds, lambda _: drip(target, head, b"1000\r\n" + b" " * 4096 + b"\r\n", 0.01))


def batch_of(event: str) -> bytes:
    return f"[{','.join([event] * 15)}]".encode()


async def batches(target: Target, seconds: float) -> None:
    """Send six batches of 15 MiB at a time, of small numbers."""
    body = batch_of(json.dumps([0] * (MIB // 2 - 1), separators=(",", ":")))
    await crowd(6, seconds, lambda _: send(target, target.post(f"/api/functions/noop/batch?{LATER}", body)))


async def wide_batches(target: Target, seconds: float) -> None:
    """Send six batches of 15 MiB at a time, of empty arrays and one character above U+FFFF."""
    body = batch_of('["😀"' + ",[]" * (MIB // 3 - 10) + "]")
    await crowd(6, seconds, lambda _: send(target, target.post(f"/api/functions/noop/batch?{LATER}", body)))


async def one_wide_value(target: Target, seconds: float) -> None:
    """Send six batches of one event that is far too large."""
    body = ("[[" + ",".join(["{}"] * (5 * MIB)) + "]]").encode()
    await crowd(6, seconds, lambda _: send(target, target.post(f"/api/functions/noop/batch?{LATER}", body)))


async def wide_events(target: Target, seconds: float) -> None:
    """Send 64 events of 1 MiB at a time, of empty objects."""
    body = ("[" + ",".join(["{}"] * (MIB // 3 - 10)) + "]").encode()
    await crowd(64, seconds, lambda _: send(target, target.post(f"/api/functions/noop?{LATER}", body)))


async def deep_events(target: Target, seconds: float) -> None:
    """Send 64 events of 1 MiB at a time, of brackets."""
    body = b"[" * (MIB // 2) + b"]" * (MIB // 2)
    await crowd(64, seconds, lambda _: send(target, target.post(f"/api/functions/noop?{LATER}", body)))


async def many_parts(target: Target, seconds: float) -> None:
    """Send 16 uploads at a time, each of 199 parts of 480 kB."""
    part = b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\n' + b"x" * 480_000 + b"\r\n"
    body = b"".join(part.replace(b"%d", b"%d" % number, 1) for number in range(199)) + b"--x--\r\n"
    kind = "Content-Type: multipart/form-data; boundary=x"
    await crowd(16, seconds, lambda _: send(target, target.post(f"/api/functions/noop?{LATER}", body, kind)))


async def waiters(target: Target, seconds: float) -> None:
    """Wait with 300 clients for a request that does not end."""
    await crowd(300, seconds, lambda _: send(target, target.head(f"GET /api/requests/{target.held}?wait=60 HTTP/1.1")))


async def slow_readers(target: Target, seconds: float) -> None:
    """Request a result of 6 MiB with 200 clients that read slowly."""

    async def client(_: int) -> None:
        async with connection(target) as (reader, writer):
            writer.write(target.head(f"GET /api/requests/{target.large}/result HTTP/1.1") * 4)
            while await reader.read(1000):  # noqa: ASYNC110 - the pace of this client
                await asyncio.sleep(2)

    await crowd(200, seconds, client)


async def lists(target: Target, seconds: float) -> None:
    """List 500 requests with 32 clients, with the events stored before."""
    await crowd(32, seconds, lambda _: send(target, target.head("GET /api/requests?limit=500 HTTP/1.1")))


async def searches(target: Target, seconds: float) -> None:
    """Search a text in all events with 32 clients."""
    await crowd(32, seconds, lambda _: send(target, target.head("GET /api/requests?limit=500&q=0,0 HTTP/1.1")))


async def idle_connections(target: Target, seconds: float) -> None:
    """Keep 900 connections open after a response."""

    async def client(_: int) -> None:
        with contextlib.suppress(OSError):
            async with connection(target) as (reader, writer):
                writer.write(target.head("GET /healthz HTTP/1.1"))
                while await reader.read(1000):
                    pass

    await crowd(900, seconds, client)


async def pipelines(target: Target, seconds: float) -> None:
    """Send thousands of requests at once on each of 100 connections, without reading a response."""
    many = target.head("GET /healthz HTTP/1.1") * 20_000
    await crowd(100, seconds, lambda _: drip(target, b"", many, 1))


async def polls(target: Target, seconds: float) -> None:
    """Poll with 100 clients without a pause."""
    await crowd(100, seconds, lambda _: send(target, target.head(f"GET /api/requests/{target.held} HTTP/1.1")))


async def logins(target: Target, seconds: float) -> None:
    """Send wrong passwords from 150 addresses that a trusted proxy names."""
    body = json.dumps({"username": "ada", "password": "wrong password"}).encode()

    async def client(number: int) -> None:
        await send(target, target.post("/api/session", body, f"X-Forwarded-For: 10.1.0.{number}", "Connection: close"))

    await crowd(150, seconds, client)


ALL: tuple[Attack, ...] = (
    nothing,
    slow_heads,
    trickling_heads,
    slow_uploads,
    slow_events,
    endless_chunks,
    batches,
    wide_batches,
    one_wide_value,
    wide_events,
    deep_events,
    many_parts,
    waiters,
    slow_readers,
    lists,
    searches,
    idle_connections,
    pipelines,
    polls,
    logins,
)
