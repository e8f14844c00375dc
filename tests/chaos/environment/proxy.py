"""Relay between the runtime and PostgreSQL, delay answers, and lose answers of commits.

For one share of the commits it forwards the message, waits for the server's answer, and closes the client's connection
instead of forwarding the answer. For another share it closes the connection before it forwards the message.
"""

import asyncio
import threading
from collections.abc import Awaitable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.environment.postgres_protocol import Client, ConnectionLost, Server, read_startup
from tests.chaos.evidence.event_log import EventLog

SOCKET = ".s.PGSQL.5432"


@dataclass(frozen=True, slots=True)
class Shares:
    """Hold two shares of the commits: with a lost answer, and cut before they are sent."""

    lost: float = 0.02
    cut: float = 0.01


@dataclass
class Proxy:
    """Listen in `folder` as PostgreSQL does.

    upstream: socket of the server. delay_s: added to each of its answers.
    """

    folder: Path
    upstream: Path
    event_log: EventLog
    seed: int
    shares: Shares = field(default_factory=Shares)
    is_nasty: bool = False
    delay_s: float = 0.0
    _random: Random = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _thread: threading.Thread = field(init=False)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def start(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen(listening)), name="proxy", daemon=True)
        self._thread.start()
        listening.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _listen(self, listening: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_unix_server(self._serve, self.folder / SOCKET)
        listening.set()
        await self._stopping.wait()
        server.close()  # asyncio.run cancels open connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionLost):
            server = Server(*await asyncio.open_unix_connection(self.upstream), delay_s=lambda: self.delay_s)
            with closing(server.writer):
                await self._relay(Client(reader, writer), server)

    async def _relay(self, client: Client, server: Server) -> None:
        await server.send(await read_startup(client))
        await _first_to_end(self._forward(client, server), server.pass_on(client))

    async def _forward(self, client: Client, server: Server) -> None:
        while True:
            message = await client.receive()
            if message.is_commit and self.is_nasty:
                await self._lose_or_send(client, server, message.raw)
            await server.send(message.raw)

    async def _lose_or_send(self, client: Client, server: Server, raw: bytes) -> None:
        chance = self._random.random()
        if chance < self.shares.lost:
            server.is_muted = True
            await server.send(raw)
            await server.ready.wait()
            self.event_log.add("commit's answer lost", detail=client.last_statement)
            raise ConnectionLost
        if chance < self.shares.lost + self.shares.cut:
            self.event_log.add("connection cut", detail=client.last_statement)
            raise ConnectionLost


async def _first_to_end(*ways: Awaitable[None]) -> None:
    """Run both directions until one ends; raise its error."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
