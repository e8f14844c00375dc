"""Start every process and command on a database that a newer version has migrated."""

import json

import pytest

from schema.revision import head_revision
from tests.integration.processes.init_environment import InitEnvironment
from tests.support.runtime import free_port

NEWER = "0999"
COMMANDS = [("up",), ("init",), ("web",), ("worker",), ("scheduler",), ("seed",), ("users", "list"), ("db", "check")]


@pytest.fixture
def migrated_further(initialized: InitEnvironment) -> InitEnvironment:
    initialized.query(f"UPDATE alembic_version SET version_num = '{NEWER}' RETURNING 1")
    initialized.env["PORT"] = str(free_port())
    return initialized


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
