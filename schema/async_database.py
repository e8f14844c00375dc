"""A connection to PostgreSQL for an event loop: opened when it is needed, one transaction at a time.

An unresponsive server is detected as in connection_watchdog.py: if an answer takes long, a second connection is tried.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.types.json import set_json_loads
from sqlalchemy.engine import make_url

from schema import exact_json
from schema.connection_watchdog import MAX_STATEMENT_S, PROBE_AFTER_S, PROBE_TIMEOUT_S, ServerUnresponsiveError
from schema.engine import APPLICATION_NAME, CONNECT_ARGUMENTS, INDEX_SCANS_ONLY, register_time_loader
from schema.steps import DIALECT, Steps, run_async

Answer = TypeVar("Answer")

CHECK_S = 1.0  # between checks for an unresponsive server


class AsyncDatabase:
    """One connection. Operations that come meanwhile wait for their turn. database_url: `postgresql+psycopg://…`."""

    def __init__(self, database_url: str, application_name: str = APPLICATION_NAME) -> None:
        _, parameters = DIALECT.create_connect_args(make_url(database_url))  # type: ignore[no-untyped-call]
        self._parameters: dict[str, Any] = parameters | CONNECT_ARGUMENTS | {"application_name": application_name}
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()
        self._is_set_up = self._is_lost = False
        self._probe: asyncio.Task[None] | None = None
        self._channels: dict[str, Callable[[], None]] = {}

    def listen(self, channel: str, on_notice: Callable[[], None]) -> None:
        """Call `on_notice` after each NOTIFY, with the next exchange, and after each connect."""
        self._channels[channel] = on_notice

    async def run(self, steps: Steps[Answer]) -> Answer:
        """Run the steps, each as a transaction of its own. Raises psycopg.Error."""
        async with self._exchange() as connection:
            return await run_async(connection, steps)

    @asynccontextmanager
    async def _exchange(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with self._turn:
            connection = self._connection or await self._connect()
            timer = asyncio.get_running_loop().call_later(PROBE_AFTER_S, self._start_probe)
            try:
                if not self._is_set_up:
                    await self._set_up(connection)
                yield connection
            except psycopg.Error:
                if self._is_lost:
                    raise ServerUnresponsiveError from None
                raise
            finally:
                timer.cancel()
                if self._probe is not None:
                    self._probe.cancel()
                    self._probe = None
                if connection.closed:
                    self._connection, self._is_lost = None, False

    async def open(self) -> None:
        """Connect before the first operation, if PostgreSQL is available: later there may be no descriptor left."""
        with suppress(psycopg.Error):
            async with self._exchange():
                pass

    def _start_probe(self) -> None:
        self._probe = asyncio.get_running_loop().create_task(self._fail_if_unresponsive())

    async def _fail_if_unresponsive(self) -> None:
        """Fail an operation that an unresponsive server does not answer."""
        connection, started = self._connection, time.monotonic() - PROBE_AFTER_S
        while connection is not None and not self._is_lost:
            if time.monotonic() - started > MAX_STATEMENT_S or not await self._answers():
                self._is_lost = True
                _disconnect(connection)
            await asyncio.sleep(CHECK_S)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(autocommit=True, **self._parameters)
        self._connection, self._is_set_up = connection, False
        register_time_loader(connection)
        set_json_loads(exact_json.read, connection)
        connection.add_notify_handler(lambda notice: self._channels[notice.channel]())
        return connection

    async def _set_up(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Prepare a new connection on the server."""
        await connection.execute(INDEX_SCANS_ONLY)
        for channel, on_notice in self._channels.items():
            await connection.execute(f"LISTEN {channel}".encode())
            on_notice()
        self._is_set_up = True

    async def _answers(self) -> bool:
        """Return whether the server accepts another connection, or rejects it."""
        parameters = self._parameters | {"connect_timeout": PROBE_TIMEOUT_S}
        try:
            connection = await psycopg.AsyncConnection.connect(autocommit=True, **parameters)
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.Error:
            return True
        await connection.close()
        return True


def _disconnect(connection: psycopg.AsyncConnection[Any]) -> None:
    """Make the waiting operation fail: psycopg reads the end of the stream."""
    with socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)
