"""Go back further than one version by the commands of docs/how-to/upgrading.md."""

import subprocess
from pathlib import Path

import psycopg

from infra.embedded.postgres import find_program
from tests.conftest import StartRuntime
from tests.support.commands import localfn

NEWER = "0999"


def test_a_dump_from_before_the_upgrade_is_restored_into_an_empty_database(
    start_runtime: StartRuntime, empty_database_url: str, tmp_path: Path
) -> None:
    dump = tmp_path / "before.dump"
    with start_runtime() as runtime:
        kept = runtime.call("echo", "before")["id"]
        assert localfn(runtime, "db", "dump", str(dump)).returncode == 0
        with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", [NEWER])
            connection.execute("UPDATE schema_support SET oldest_revision = %s", [NEWER])
        refused = localfn(runtime, "init")
        assert (refused.returncode, "restore a backup" in refused.stderr) == (1, True), refused
    address = empty_database_url.replace("+psycopg", "", 1)
    command = [str(find_program("pg_restore")), "--exit-on-error", "--single-transaction", "--no-owner"]
    subprocess.run([*command, "--dbname", address, str(dump)], check=True, timeout=60)
    with start_runtime(database_url=empty_database_url) as runtime:
        assert runtime.get(f"/api/requests/{kept}/result")["data"] == "before"
        assert runtime.result("echo", "after") == "after"
