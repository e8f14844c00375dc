"""Use one connection from an event loop."""

import asyncio
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy

from schema.async_database import AsyncDatabase
from schema.connection_watchdog import PROBE_AFTER_S, PROBE_TIMEOUT_S, ServerUnresponsiveError
from schema.steps import Steps
from tests.support.waiting import run

SOCKET = ".s.PGSQL.5432"
LIMIT_S = PROBE_AFTER_S + PROBE_TIMEOUT_S + 10  # with a margin for a busy machine


class Relay:
    """Pass bytes between connections to `folder` and PostgreSQL, until it freezes."""

    def __init__(self, folder: Path, upstream: Path) -> None:
        self.folder, self._upstream = folder, upstream
        self._flowing = asyncio.Event()
        self._flowing.set()

    def freeze(self) -> None:
        self._flowing.clear()

    async def start(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._serve, self.folder / SOCKET)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, out = await asyncio.open_unix_connection(self._upstream)
        with closing(out), closing(writer), suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._pass(reader, out), self._pass(back, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            writer.write(data)
        writer.close()


def select() -> Steps[int]:
    rows = yield sqlalchemy.text("SELECT 1 AS one"), {}
    one: int = rows[0].one
    return one


def test_a_server_that_falls_silent_during_the_setup_of_a_connection_fails_the_operation(
    database_url: str, short_tmp_path: Path
) -> None:
    url = sqlalchemy.make_url(database_url)

    async def check() -> None:
        relay = Relay(short_tmp_path, Path(str(url.query["host"])) / SOCKET)
        server = await relay.start()
        through = url.update_query_dict({"host": str(short_tmp_path)})
        database = AsyncDatabase(through.render_as_string(hide_password=False))
        database.listen("first", relay.freeze)
        database.listen("second", lambda: None)  # listened to after the notice of the first one
        try:
            async with asyncio.timeout(LIMIT_S):
                with pytest.raises(ServerUnresponsiveError):
                    await database.run(select())
        finally:
            await database.close()
            server.close()

    run(check())
