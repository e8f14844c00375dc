"""Run `localfn init` against real servers: concurrently, killed, repeated, in both modes."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from infra.audit_actor import actor
from infra.cli.main import cli
from schema import migrate
from schema.autogenerate import STRICT
from schema.engine import make_engine
from tests.integration.processes.init_environment import STATE, InitEnvironment
from tests.support.waiting import wait_until
from workqueue.auth.credentials import verify_password

CONCURRENT_STARTS = 10


@pytest.fixture
def written_migrations() -> Iterator[None]:
    """Remove migrations that a failing test would leave in the source tree."""
    before = set((migrate.FOLDER / "versions").glob("*.py"))
    yield
    for path in set((migrate.FOLDER / "versions").glob("*.py")) - before:
        path.unlink()


def test_ten_starts_at_once_on_an_empty_database_migrate_and_seed_once(place: InitEnvironment, tmp_path: Path) -> None:
    env = {"SUPERUSER_USERNAME": "root", "SUPERUSER_PASSWORD": "a long one"}
    homes = [str(tmp_path / f"home{n % 3}") for n in range(CONCURRENT_STARTS)]
    starts = [place.start_interpreter("init", LOCALFN_HOME=home, **env) for home in homes]
    errors = [start.communicate(timeout=150)[1] for start in starts]

    assert not [error for start, error in zip(starts, errors, strict=True) if start.returncode != 0]
    assert place.query(STATE) == {
        "flags": 1,
        "schedules": 1,
        "requests": 2,
        "users": ["root admin"],
        "migrations": 1,
    }


def test_the_next_start_completes_a_killed_seeding(place: InitEnvironment) -> None:
    assert place.run("db", "upgrade")[0] == 0
    with psycopg.connect(place.database_url.replace("+psycopg", "", 1)) as other:
        # The lock blocks the seeding in the middle: its schedule is written, its requests are not.
        other.execute("LOCK TABLE processing_request IN EXCLUSIVE MODE")
        start = place.start("init")
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        wait_until(lambda: place.query(waits), 60, "the seeding waits")
        start.process.send_signal(signal.SIGKILL)
        start.communicate()
    wait_until(lambda: not place.query(waits), 60, "the server notices")
    assert place.query("SELECT count(*) FROM setup_flag") + place.query("SELECT count(*) FROM schedule") == 0

    assert place.run("init")[0] == 0
    assert place.query(STATE)["flags"] == 1
    assert place.query(STATE)["requests"] == 2


def test_the_superuser_follows_the_environment(initialized: InitEnvironment, tmp_path: Path) -> None:
    place = initialized
    for password in ("first one", "second 'one' $\" %"):
        env = {"SUPERUSER_USERNAME": "root", "SUPERUSER_PASSWORD": password, "SUPERUSER_EMAIL": "root@example.org"}
        assert place.run("init", **env)[0] == 0
        stored = place.query("SELECT password_hash FROM app_user WHERE username = 'root'")
        assert stored.startswith("$argon2id$")
        assert verify_password(password, stored)
    assert place.run("init")[0] == 0
    assert verify_password(password, place.query("SELECT password_hash FROM app_user"))
    assert place.run("init", SUPERUSER_USERNAME="no name", SUPERUSER_PASSWORD="long enough")[2].count("\n") < 10
    code, _, errors = place.run("init", SUPERUSER_USERNAME="root", SUPERUSER_PASSWORD="seven77")
    assert code == 2
    assert "localfn: SUPERUSER_PASSWORD is too weak; 8 to 1024 characters are needed." in errors
    (tmp_path / "password").write_text("from a file\n")
    assert place.run("init", SUPERUSER_USERNAME="root", SUPERUSER_PASSWORD_FILE=str(tmp_path / "password"))[0] == 0
    assert verify_password("from a file", place.query("SELECT password_hash FROM app_user"))


def test_the_audit_lists_the_changes_of_a_start(place: InitEnvironment) -> None:
    def audit_entries() -> Any:
        entries = "json_build_array(action, subject, details->>'command')"
        return place.query(f"SELECT coalesce(json_agg({entries} ORDER BY id), '[]') FROM audit_entry")

    def start(password: str) -> None:
        code, _, errors = place.run("init", SUPERUSER_USERNAME="root", SUPERUSER_PASSWORD=password)
        assert code == 0, errors

    start("first one")
    first = [["schedule.create", "example-nightly-profile", "init"], ["user.create", "root", "init"]]
    assert audit_entries() == first
    start("first one")
    assert audit_entries() == first, "nothing has changed"
    start("second one")
    assert audit_entries() == [*first, ["user.change", "root", "init"]]
    assert place.query("SELECT details->'fields' FROM audit_entry ORDER BY id DESC LIMIT 1") == ["password"]

    place.query("WITH gone AS (DELETE FROM schedule RETURNING 1) SELECT count(*) FROM gone")
    for _ in range(2):
        assert place.run("seed")[0] == 0
    assert audit_entries()[3:] == [["schedule.create", "example-nightly-profile", "seed"]]
    assert place.query("SELECT array_agg(DISTINCT actor) FROM audit_entry") == [actor()]


def test_the_migrations_create_the_tables_of_the_code(place: InitEnvironment) -> None:
    migrate.upgrade(place.database_url)
    engine = make_engine(place.database_url, pool_size=1)
    with engine.connect() as connection:
        assert migrate.differences(connection, STRICT) == [], "neither less nor more"
    engine.dispose()


@pytest.mark.parametrize("env", ["local", "production"])
def test_foreign_tables_columns_and_indexes_are_kept(initialized: InitEnvironment, env: str) -> None:
    place = initialized
    with psycopg.connect(place.database_url.replace("+psycopg", "", 1)) as connection:
        connection.execute("CREATE TABLE invoices (id int PRIMARY KEY, request uuid REFERENCES processing_request)")
        connection.execute("INSERT INTO invoices VALUES (1, NULL)")
        connection.execute("ALTER TABLE worker ADD COLUMN rack text DEFAULT 'north'")
        connection.execute("CREATE INDEX by_a_person ON processing_request (started_at)")
    code, _, errors = place.run("init", LOCALFN_ENV=env)
    assert code == 0, errors
    assert "migration" not in errors
    assert place.query("SELECT count(*) FROM invoices") == 1
    assert place.query("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_a_person'") == 1
    assert place.query("SELECT count(rack) >= 0 FROM worker") is True


def test_production_does_not_start_on_tables_that_differ_from_its_migrations(initialized: InitEnvironment) -> None:
    place = initialized
    with psycopg.connect(place.database_url.replace("+psycopg", "", 1)) as connection:
        connection.execute("ALTER TABLE worker DROP COLUMN hostname")
    code, _, errors = place.run("init", LOCALFN_ENV="production")
    assert code == 1
    assert "add column worker.hostname" in errors.splitlines()[-1]
    code, out, _ = place.run("db", "check")
    assert (code, "worker.hostname" in out) == (1, True)


def test_local_writes_the_migration_for_changed_tables_and_applies_it(
    place: InitEnvironment, tmp_path: Path, written_migrations: None
) -> None:
    """Run on a copy of the code, so that the test can change its tables."""
    root = Path(migrate.__file__).parent.parent
    for name in ("infra", "handlers", "schema", "seed", "queue"):
        subprocess.run(["cp", "-a", str(root / name), str(tmp_path)], check=True)
    tables = tmp_path / "schema" / "tables" / "requests.py"
    column = 'Column("hostname", Text, nullable=False),'
    tables.write_text(tables.read_text().replace(column, f'{column}\n    Column("rack", Text),'))
    env = {"PYTHONPATH": f"{tmp_path}:{tmp_path / 'queue'}"}
    assert migrate.__file__ not in place.run("version", **env)[1]

    code, _, errors = place.run("init", **env)
    assert code == 0, errors
    (written,) = (tmp_path / "schema" / "migrations" / "versions").glob("*_models.py")
    assert "migration written" in errors
    assert "rack" in written.read_text()
    assert place.query("SELECT count(rack) FROM worker") == 0
    before = sorted(written.parent.glob("*.py"))
    assert place.run("init", **env)[0] == 0
    assert sorted(written.parent.glob("*.py")) == before
    assert place.run("db", "check", **env)[0] == 0
    assert place.run("init", LOCALFN_ENV="production", **env)[0] == 0


@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_production_does_not_start_without_its_servers(
    place: InitEnvironment, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without a .env
    env = place.env | {"LOCALFN_ENV": "production", missing: "", "RQ_REDIS_URL": ""}
    for command in ("init", "web", "worker", "scheduler", "up"):
        result = CliRunner().invoke(cli, [command], env=env)
        assert result.exit_code == 2, result.output
        assert f"{missing} is missing" in result.output


def test_waiting_names_server_and_reason_and_ends_at_the_deadline(place: InitEnvironment) -> None:
    url = "postgresql://postgres:secret@127.0.0.1:1/none"
    code, _, errors = place.run("init", "--only-servers", DATABASE_URL=url, LOCALFN_WAIT_SECONDS="1")
    lines = errors.splitlines()
    assert code == 3
    assert lines[0].startswith(
        "localfn: waiting for PostgreSQL at postgresql+psycopg://postgres:***@127.0.0.1:1/none: "
    )
    assert "did not answer within 1 s" in lines[-1]
    assert "secret" not in errors


def test_only_servers_does_not_change_the_database(place: InitEnvironment) -> None:
    assert place.run("init", "--only-servers")[0] == 0
    assert place.query("SELECT to_regclass('alembic_version')") is None
