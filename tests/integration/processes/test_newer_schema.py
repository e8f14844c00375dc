"""Start every process and command on a database that a newer version has migrated: as this one, or too far."""

import json
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from schema.revision import head_revision
from tests.conftest import StartRuntime
from tests.integration.processes.init_environment import InitEnvironment
from tests.support.commands import localfn
from tests.support.runtime import PROCESSES, Runtime, free_port
from tests.support.waiting import wait_until

NEWER = "0999"
PREPARED_AFTER = 5  # executions: psycopg then prepares a statement
LATER = "from localfn import function\n\n\n@function\ndef later(event, context):\n    return 7\n"
COMMANDS = [("up",), ("init",), ("web",), ("worker",), ("scheduler",), ("seed",), ("users", "list"), ("db", "check")]


@pytest.fixture
def newer_database(initialized: InitEnvironment) -> InitEnvironment:
    """Return a database of a newer version, which still works with this one."""
    initialized.query(f"UPDATE alembic_version SET version_num = '{NEWER}' RETURNING 1")
    initialized.env["PORT"] = str(free_port())
    return initialized


@pytest.fixture
def migrated_further(newer_database: InitEnvironment) -> InitEnvironment:
    newer_database.query(f"UPDATE schema_support SET oldest_revision = '{NEWER}' RETURNING 1")
    return newer_database


@pytest.mark.parametrize("words", [("init",), ("seed",), ("users", "list"), ("db", "upgrade")], ids=" ".join)
def test_the_version_before_the_migration_of_a_database_still_works(
    newer_database: InitEnvironment, words: tuple[str, ...]
) -> None:
    code, out, errors = newer_database.run(*words)
    assert code == 0, (out, errors)
    assert newer_database.query("SELECT version_num FROM alembic_version") == NEWER


def test_no_migration_is_written_for_the_database_of_a_newer_version(newer_database: InitEnvironment) -> None:
    code, out, errors = newer_database.run("db", "revision")
    assert (code, f"revision {NEWER}, of a newer version" in errors) == (1, True), (out, errors)


def test_all_processes_of_the_version_before_start_and_run_requests(start_runtime: StartRuntime) -> None:
    with start_runtime() as runtime:
        with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", [NEWER])
        for name in PROCESSES:
            assert runtime.stop(name) == 0
            runtime.start(name)
        wait_until(runtime.can_accept, 30, "web is ready")
        assert runtime.result("echo", "well") == "well"
        assert runtime.get("/readyz?verbose")["checks"]["migrations"]["state"] == "newer than this version"
        assert "works with it" in localfn(runtime, "doctor").stdout


def test_live_and_new_processes_of_the_version_before_work_with_further_columns_and_tables(
    start_runtime: StartRuntime,
) -> None:
    with start_runtime() as runtime:
        body = {"name": "each-second", "function": "echo", "event": "tick", "expression": "rate(1 second)"}
        assert runtime.http.post("/api/schedules", json=body).status_code == 201
        use(runtime, times=PREPARED_AFTER + 1)
        expand(runtime.database_url)
        use(runtime)
        for name in PROCESSES:
            assert runtime.stop(name) == 0
            runtime.start(name)
        wait_until(runtime.can_accept, 30, "web is ready")
        runtime.write("later.py", LATER)
        wait_until(lambda: runtime.knows("later"), 10, "the new function is published")
        assert runtime.result("later") == 7
        use(runtime)
        assert "Traceback" not in Path(runtime.log.name).read_text()


def expand(database_url: str) -> None:
    """Add a column to every table, and a table, as a migration of the next version may."""
    # Each in a transaction of its own: two locks at once could deadlock with the live processes.
    with psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        assert "processing_request" in names
        for name in set(names) - {"alembic_version"}:
            column = sql.SQL("ALTER TABLE {} ADD COLUMN next_note text NOT NULL DEFAULT 'new'")
            connection.execute(column.format(sql.Identifier(name)))
        connection.execute("CREATE TABLE next_table (id bigint PRIMARY KEY)")
        connection.execute("UPDATE alembic_version SET version_num = %s", [NEWER])


def use(runtime: Runtime, times: int = 1) -> None:
    """Use each part of the runtime."""
    for number in range(times):
        assert runtime.result("echo", number) == number
        failed = runtime.call("fail_now", number)
        assert failed["status"] == "failed"
        assert runtime.http.post(f"/api/requests/{failed['id']}/retry").status_code == 202
        runtime.wait_ended(failed["id"])
        assert len(runtime.attempts(failed["id"])) == 2
        later = runtime.post("echo", number, params={"delay_s": 60})
        assert runtime.http.post(f"/api/requests/{later['id']}/cancel").status_code == 202
        change = {"description": str(number), "timezone": ("UTC", "Europe/Berlin")[number % 2]}
        assert runtime.http.patch("/api/schedules/each-second", json=change).status_code == 200
        for path in ("/api/requests?schedule=each-second", "/api/functions", "/api/schedules", "/api/stats"):
            runtime.get(path)
    ticks = runtime.get("/api/schedules/each-second")["total_runs"]
    wait_until(lambda: runtime.get("/api/schedules/each-second")["total_runs"] > ticks + 1, 20, "the schedule fires")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_version_older_than_its_database_stops_with_one_line(
    migrated_further: InitEnvironment, words: tuple[str, ...]
) -> None:
    code, out, errors = migrated_further.run(*words)
    assert code == 1, (out, errors)
    # `up` repeats the last line of the process that could not start.
    reasons = {line.rpartition("localfn: ")[2] for line in (out + errors).splitlines() if NEWER in line}
    assert len(reasons) == 1, (out, errors)
    [reason] = reasons
    assert f"schema revision {NEWER}" in reason
    assert f"revisions up to {head_revision()}" in reason
    assert "restore a backup" in reason
    assert "Traceback" not in out + errors
    assert migrated_further.query("SELECT version_num FROM alembic_version") == NEWER


def test_doctor_names_both_revisions(migrated_further: InitEnvironment) -> None:
    _, out, _ = migrated_further.run("doctor", "--json")
    [found] = [check for check in json.loads(out)["checks"] if check["name"] == "migrations"]
    assert not found["ok"]
    assert NEWER in found["detail"]
    assert head_revision() in found["detail"]
