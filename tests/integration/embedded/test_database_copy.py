"""Move the embedded database by a dump to a new folder, kill that move, and start on folders of other versions."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.embedded.postgres import Postgres
from infra.embedded.postgres_folders import RESTORED
from infra.errors import ServerFailedError
from tests.integration.embedded.conftest import RunService
from tests.support.commands import COMMAND, LIMIT_S
from tests.support.processes import children_of, read_each
from tests.support.waiting import wait_until


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LOCALFN_", "DATABASE_"))}
    return subprocess.Popen(
        [*COMMAND, *words], env=env | {"LOCALFN_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def localfn(home: Path, *words: str) -> tuple[int, str]:
    process = start(home, *words)
    _, errors = process.communicate(timeout=LIMIT_S)
    return process.returncode, errors


def execute(postgres: Postgres, statement: str) -> None:
    with psycopg.connect(postgres.url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(statement.encode())


def read_kept(home: Path, run: RunService) -> int:
    """Start the server of the home, and return the value that was stored in it."""
    process, postgres = run(Postgres(home)), Postgres(home)
    with psycopg.connect(postgres.url.replace("+psycopg", "", 1)) as connection:
        [(value,)] = connection.execute("SELECT value FROM kept").fetchall()
    process.send_signal(signal.SIGINT)
    process.wait(10)
    return int(value)


@pytest.fixture
def filled(home: Path, run: RunService) -> Path:
    """Return a home whose stopped database holds the value 42."""
    process, postgres = run(Postgres(home)), Postgres(home)
    execute(postgres, "CREATE TABLE kept AS SELECT 42 AS value")
    process.send_signal(signal.SIGINT)
    process.wait(10)
    return home


@pytest.fixture
def dumped(filled: Path, run: RunService) -> Path:
    """Return the dump of a database whose value is 42, and which has the value 1 since."""
    file = filled / "before.dump"
    assert localfn(filled, "db", "dump", str(file)) == (
        0,
        f"the database is in {file}; the files of requests are not.\n",
    )
    process, postgres = run(Postgres(filled)), Postgres(filled)
    execute(postgres, "UPDATE kept SET value = 1")
    process.send_signal(signal.SIGINT)
    process.wait(10)
    return file


def test_a_dump_restores_the_database_and_keeps_the_replaced_one(filled: Path, dumped: Path, run: RunService) -> None:
    assert dumped.stat().st_mode & 0o777 == 0o600
    code, errors = localfn(filled, "db", "restore", str(dumped))
    assert (code, "the data before it is kept in" in errors) == (0, True), errors
    assert read_kept(filled, run) == 42
    major = (filled / "postgres" / "data" / "PG_VERSION").read_text().strip()
    (filled / "postgres").rename(filled / "away")
    (filled / f"postgres.{major}").rename(filled / "postgres")
    assert read_kept(filled, run) == 1


def test_a_restore_that_is_killed_leaves_the_old_data(filled: Path, dumped: Path, run: RunService) -> None:
    pipe = filled / "slow.dump"
    os.mkfifo(pipe)
    process = start(filled, "db", "restore", str(pipe))
    with pipe.open("wb") as half:  # opens when the new server runs
        half.write(dumped.read_bytes()[:1000])
        half.flush()
        wait_until(lambda: "pg_restore" in read_each(children_of(process.pid), psutil.Process.name), what="it restores")
        process.send_signal(signal.SIGKILL)
    process.communicate()  # pg_restore holds its output, and ends when the pipe is closed
    # The lock is free when all processes of the restore have ended.
    assert localfn(filled, "db", "dump", str(filled / "after.dump"))[0] == 0
    assert read_kept(filled, run) == 1
    assert localfn(filled, "db", "restore", str(dumped))[0] == 0
    assert read_kept(filled, run) == 42


def test_the_next_start_finishes_a_killed_switch(filled: Path, dumped: Path, run: RunService) -> None:
    assert localfn(filled, "db", "restore", str(dumped))[0] == 0
    old = next(filled.glob("postgres.[0-9]*"))
    # As after the first and after the second rename.
    for was_moved_away in (False, True):
        (filled / "postgres").rename(filled / RESTORED)
        if not was_moved_away:
            old.rename(filled / "postgres")
        assert read_kept(filled, run) == 42
        assert old.exists()


def test_a_file_that_is_no_dump_changes_nothing(filled: Path, run: RunService) -> None:
    bad = filled / "bad.dump"
    bad.write_text("no dump")
    code, errors = localfn(filled, "db", "restore", str(bad))
    assert code == 1
    assert errors.startswith("localfn: pg_restore: error:")
    assert errors.count("\n") == 1
    assert read_kept(filled, run) == 42


def test_a_dump_overwrites_no_file(filled: Path, dumped: Path) -> None:
    before = dumped.read_bytes()
    code, errors = localfn(filled, "db", "dump", str(dumped))
    assert (code, f"{dumped} exists" in errors) == (1, True)
    assert dumped.read_bytes() == before


def test_restore_is_for_the_embedded_database_alone(dumped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_HOST", "database.example.org")
    code, errors = localfn(dumped.parent, "db", "restore", str(dumped))
    assert (code, "use pg_restore" in errors) == (1, True), errors


@pytest.mark.parametrize(
    ("difference", "advice"),
    [
        (-1, r"Move the data: `uvx localfn@\S+ db dump before.dump`, then `localfn db restore before.dump`"),
        (+1, r"which cannot read it. Start the newer version: `uvx localfn@\S+ up`"),
    ],
)
def test_a_folder_of_another_major_version_is_one_line_of_error(filled: Path, difference: int, advice: str) -> None:
    version_file = filled / "postgres" / "data" / "PG_VERSION"
    major = int(version_file.read_text())
    version_file.write_text(f"{major + difference}\n")
    files = sorted(filled.rglob("*"))
    with pytest.raises(
        ServerFailedError, match=f"PostgreSQL {major + difference} made .* PostgreSQL {major}.*{advice}"
    ):
        Postgres(filled).prepare()
    assert sorted(filled.rglob("*")) == files


def test_a_folder_of_another_major_version_is_replaced_by_a_restore(
    filled: Path, dumped: Path, run: RunService
) -> None:
    (filled / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    assert localfn(filled, "db", "restore", str(dumped))[0] == 0
    assert (filled / "postgres.17" / "data").is_dir()
    assert read_kept(filled, run) == 42
