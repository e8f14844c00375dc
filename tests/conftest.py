"""The servers of the test suite: one PostgreSQL and one Redis per xdist worker, real ones, made and ended here.

A test that asks for `engine` gets a database of its own, copied from a migrated template in under 0.1 s.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import redis
import sqlalchemy
from psycopg import sql

from tests.support.runtime import CASES, EXAMPLES, PROCESSES, Runtime, own_folder, running

TEMPLATE = "migrated"

# No example fails for its time: a busy machine would decide. Examples of one test may share its temporary folder.
hypothesis.settings.register_profile(
    "localfn",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("localfn")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their parameter: compressed ones hold the time, and all processes of xdist must find one id."""
    return argname if isinstance(val, bytes) else None


@dataclass(frozen=True)
class Servers:
    """Where the two servers answer."""

    database_url: str
    redis_url: str

    def database(self, name: str) -> str:
        """The URL of another database on the same server."""
        return sqlalchemy.make_url(self.database_url).set(database=name).render_as_string(hide_password=False)

    def execute(self, statement: sql.Composed) -> None:
        url = self.database_url.replace("+psycopg", "", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Open to everybody: as root, functions run as an account of their own, and tests meet them here."""
    with tempfile.TemporaryDirectory(prefix="lf-", ignore_cleanup_errors=True) as folder:
        path = Path(folder).resolve()
        path.chmod(0o777)
        yield path


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """A temporary folder whose path is short enough for a unix socket; pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    folder = tempfile.mkdtemp(prefix="lf-", dir="/tmp")
    keeper = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).parent / "support" / "embedded_servers.py"), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # The terminal's Ctrl-C is for pytest, which still needs the servers to end its tests.
        start_new_session=True,
    )
    with keeper:
        assert keeper.stdout is not None
        line = keeper.stdout.readline()
        assert line, "the test servers did not start; their reason stands above"
        urls = json.loads(line)
        yield Servers(database_url=urls["postgres"], redis_url=urls["redis"])


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> str:
    """The name of a migrated database without connections: PostgreSQL copies only an idle one."""
    from schema.migrate import upgrade

    servers.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    upgrade(servers.database(TEMPLATE))
    # A runtime that has been set up: its tests find no rows but their own.
    with psycopg.connect(servers.database(TEMPLATE).replace("+psycopg", "", 1)) as connection:
        connection.execute("INSERT INTO setup_flag VALUES ('fixtures', true, now())")
    return TEMPLATE


@pytest.fixture(scope="session")
def discovered(servers: Servers, migrated: str) -> str:
    """As `migrated`, and the functions of the tests are known, as after a first start: the next ones are quick."""
    from infra.sandbox import sdk_link
    from schema.engine import make_engine
    from workqueue.functions import registry
    from workqueue.functions.code_watcher import CodeWatcher
    from workqueue.sandboxes.interpreter import Interpreter
    from workqueue.schedules.declarations import declared_schedule_problem

    name = f"{migrated}_discovered"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(migrated)}
    servers.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY").format(**names))
    interpreter = Interpreter(sys.executable, sdk_link.source().parent, {}, 1 << 20)
    watcher = CodeWatcher(
        interpreter, [str(CASES), str(EXAMPLES)], registry.Registry((), ()), declared_schedule_problem
    )
    watcher.refresh()
    engine = make_engine(servers.database(name))
    registry.publish(engine, watcher.registry)
    engine.dispose()
    return name


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """The URL of a fresh database without tables."""
    yield from fresh_database(servers, "template1")


@pytest.fixture
def database_url(servers: Servers, migrated: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    yield from fresh_database(servers, migrated)


@pytest.fixture
def engine(database_url: str) -> Iterator[sqlalchemy.Engine]:
    """An engine on a fresh, migrated database."""
    from schema.engine import make_engine

    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """The URL of an empty Redis database, which no runtime uses."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushdb()
    return servers.redis_url


class StartRuntime(Protocol):
    """database_url: instead of a fresh, migrated database. settings: further environment variables."""

    def __call__(
        self,
        *,
        database_url: str | None = None,
        processes: tuple[str, ...] = PROCESSES,
        settings: Mapping[str, str] | None = None,
    ) -> contextlib.AbstractContextManager[Runtime]: ...


@pytest.fixture(scope="session")
def start_runtime(servers: Servers, discovered: str) -> StartRuntime:
    """Starts runtimes that share nothing but the servers: each has its database, its Redis database and its folder."""
    free = list(range(1, 16))  # 0 is that of `redis_url`

    @contextlib.contextmanager
    def start(
        *,
        database_url: str | None = None,
        processes: tuple[str, ...] = PROCESSES,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[Runtime]:
        number = free.pop()
        redis_url = f"{servers.redis_url}?db={number}"
        with contextlib.ExitStack() as stack:
            stack.callback(free.append, number)
            stack.callback(stack.enter_context(redis.Redis.from_url(redis_url)).flushdb)
            url = database_url or stack.enter_context(contextlib.contextmanager(fresh_database)(servers, discovered))
            folder = stack.enter_context(own_folder())
            yield stack.enter_context(running(url, redis_url, folder, processes=processes, settings=settings))

    return start


@pytest.fixture(scope="session")
def runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """A whole runtime, shared by the tests of this worker; tests that kill something start their own.

    Its leases are long: a machine that stalls for half a minute costs none of them, and no test an attempt.
    """
    with start_runtime(settings={"LOCALFN_LEASE_SECONDS": "120"}) as shared:
        yield shared


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def fresh_database(servers: Servers, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    # FILE_COPY: for a small template on one machine it is several times quicker than copying through the log.
    servers.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY").format(**names))
    yield servers.database(name)
    # FORCE: a process that the test killed may still hold a connection.
    servers.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
