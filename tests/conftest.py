"""Run the servers of the test suite: one real PostgreSQL and one real Redis per xdist worker.

Each test with the fixture `engine` gets a new database, copied from a migrated template in under 0.1 s.
"""

import contextlib
import json
import shutil
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

from tests.support.runtime import CASES, EXAMPLES, PROCESSES, Runtime, make_folder, run_runtime

TEMPLATE = "migrated"
MEMORY = Path("/dev/shm")  # Linux keeps it in memory; a container may have 64 MB of it
SERVERS_BYTES = 2 * 1024**3  # for the servers of several xdist workers

# No example fails for its time: a busy machine would decide. Examples of one test may share its temporary folder.
hypothesis.settings.register_profile(
    "localfn",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("localfn")


# They take longest. Started last, one of them would keep a single process busy while the others have nothing to do.
# Files that start their own processes precede those with the shared runtime and a browser, which then idle less.
LONG_FILES = (
    "tests/chaos/test_chaos.py",
    "tests/docs/test_commands.py",
    "tests/e2e/test_",
    "tests/integration/embedded/",
    "tests/integration/processes/",
    "tests/integration/outages/",
    "tests/integration/workers/",
    "tests/integration/transport/",
    "tests/e2e/pages/",
    "tests/integration/sandboxes/",
    "tests/integration/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that take long come first; their own order stays."""

    def place(item: pytest.Item) -> int:
        return next((n for n, start in enumerate(LONG_FILES) if item.nodeid.startswith(start)), len(LONG_FILES))

    items.sort(key=place)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their parameter: compressed bytes hold the time, and all xdist processes need the same id."""
    return argname if isinstance(val, bytes) else None


@dataclass(frozen=True)
class Servers:
    """Hold the addresses of the two servers."""

    database_url: str
    redis_url: str

    def database(self, name: str) -> str:
        """Return the URL of another database on the same server."""
        return sqlalchemy.make_url(self.database_url).set(database=name).render_as_string(hide_password=False)

    def execute(self, statement: sql.Composed) -> None:
        url = self.database_url.replace("+psycopg", "", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Make a temporary folder that all accounts can enter: as root, functions run as another account."""
    with tempfile.TemporaryDirectory(prefix="lf-", ignore_cleanup_errors=True) as folder:
        path = Path(folder).resolve()
        path.chmod(0o777)
        yield path


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """Make a temporary folder with a path short enough for a unix socket; pytest's paths are too long."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > SERVERS_BYTES


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # On a disk, each new database costs three times as much: the server writes and deletes hundreds of files.
    folder = tempfile.mkdtemp(prefix="lf-", dir=MEMORY if has_room(MEMORY) else "/tmp")
    server_process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).parent / "support" / "embedded_servers.py"), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C must reach pytest only, which needs the servers to end its tests.
        start_new_session=True,
    )
    with server_process:
        assert server_process.stdout is not None
        line = server_process.stdout.readline()
        assert line, "the test servers did not start; see their output above"
        urls = json.loads(line)
        yield Servers(database_url=urls["postgres"], redis_url=urls["redis"])


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> str:
    """Return the name of a migrated database without connections: PostgreSQL copies only such a database."""
    from schema.migrate import upgrade

    servers.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    upgrade(servers.database(TEMPLATE))
    # Fixtures count as loaded, so that tests find only their own rows.
    with psycopg.connect(servers.database(TEMPLATE).replace("+psycopg", "", 1)) as connection:
        connection.execute("INSERT INTO setup_flag VALUES ('fixtures', true, now())")
    return TEMPLATE


@pytest.fixture(scope="session")
def discovered(servers: Servers, migrated: str) -> str:
    """Return a copy of `migrated` that knows the functions of the tests, so that runtimes start quickly."""
    from infra.sandbox import sdk_link
    from schema.engine import make_engine
    from workqueue.functions import pools, registry
    from workqueue.functions.code_watcher import CodeWatcher
    from workqueue.sandboxes.interpreter import Interpreter
    from workqueue.schedules.declarations import declared_schedule_problem

    name = f"{migrated}_discovered"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(migrated)}
    servers.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY").format(**names))
    interpreter = Interpreter(sys.executable, sdk_link.sdk_folder().parent, {}, 1 << 20)
    watcher = CodeWatcher(
        interpreter, [str(CASES), str(EXAMPLES)], registry.Registry((), ()), declared_schedule_problem
    )
    watcher.refresh()
    engine = make_engine(servers.database(name))
    pools.publish(engine, "tests", watcher.registry)
    with engine.begin() as connection:  # the union is left, as if the version before pools had stored it
        connection.exec_driver_sql("TRUNCATE function_pool, pool_heartbeat")
    engine.dispose()
    return name


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """Yield the URL of a new database without tables."""
    yield from fresh_database(servers, "template1")


@pytest.fixture
def database_url(servers: Servers, migrated: str) -> Iterator[str]:
    """Yield the URL of a new, migrated database."""
    yield from fresh_database(servers, migrated)


@pytest.fixture
def engine(database_url: str) -> Iterator[sqlalchemy.Engine]:
    """Yield an engine on a new, migrated database."""
    from schema.engine import make_engine

    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """Return the URL of an empty Redis database, which no runtime uses."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushdb()
    return servers.redis_url


class StartRuntime(Protocol):
    """Start a runtime.

    database_url: a database in place of a new, migrated one. settings: further environment variables.
    """

    def __call__(
        self,
        *,
        database_url: str | None = None,
        processes: tuple[str, ...] = PROCESSES,
        settings: Mapping[str, str] | None = None,
    ) -> contextlib.AbstractContextManager[Runtime]: ...


@pytest.fixture(scope="session")
def start_runtime(servers: Servers, discovered: str) -> StartRuntime:
    """Return a function that starts runtimes; each has its own database, Redis database and folder."""
    free = list(range(1, 16))  # `redis_url` uses 0

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
            folder = stack.enter_context(make_folder())
            yield stack.enter_context(run_runtime(url, redis_url, folder, processes=processes, settings=settings))

    return start


@pytest.fixture(scope="session")
def runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a whole runtime, shared by the tests of this xdist worker; tests that kill a process start their own.

    Its leases are long: a machine that stalls for half a minute must not cost a test an attempt.
    """
    # Nothing is deleted by age, because tests store requests of any time.
    settings = {"LOCALFN_LEASE_SECONDS": "120", "LOCALFN_RETENTION_DAYS": "0"}
    with start_runtime(settings=settings) as shared:
        yield shared


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def fresh_database(servers: Servers, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    # FILE_COPY is several times quicker than copying a small template through the write-ahead log.
    servers.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY").format(**names))
    yield servers.database(name)
    # FORCE: a killed process may still hold a connection.
    servers.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
