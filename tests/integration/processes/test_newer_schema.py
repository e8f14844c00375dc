"""Start every process and command on a database that a newer version has migrated: as this one, or too far."""

import json

import psycopg
import pytest

from schema.revision import head_revision
from tests.conftest import StartRuntime
from tests.integration.processes.init_environment import InitEnvironment
from tests.support.commands import localfn
from tests.support.runtime import PROCESSES, free_port
from tests.support.waiting import wait_until

NEWER = "0999"
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
        assert runtime.get("/readyz")["checks"]["migrations"] == "newer than this version"
        assert "works with it" in localfn(runtime, "doctor").stdout


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
