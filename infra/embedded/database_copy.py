"""Dump the database into a file, and restore the embedded one from such a file, by PostgreSQL's own programs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infra.config.database_url import for_libpq
from infra.config.home import Home
from infra.config.settings import Settings
from infra.embedded import postgres_folders
from infra.embedded.postgres import Postgres, find_program
from infra.embedded.service import service_spec
from infra.embedded.service_lookup import find_running_services
from infra.errors import InfraError
from infra.supervisor.orphan_guard import OrphanGuard
from infra.supervisor.supervisor import Supervisor


class CopyError(InfraError):
    """A dump or a restore failed."""


def dump(settings: Settings, file: Path) -> None:
    """Write the database into a new file. The embedded server is started if it does not run. Raises InfraError."""
    url = settings.database_url or find_running_services(settings.home).database_url
    if url is not None:
        _write_dump(url, file)
        return
    postgres = Postgres(settings.home)
    if not postgres.folder.exists():
        raise CopyError(f"{settings.home} holds no database; set LOCALFN_HOME or DATABASE_URL.")
    with _locked(settings) as lock, _running(postgres, settings, lock):
        _write_dump(postgres.url, file)


def restore(settings: Settings, file: Path) -> Path | None:
    """Replace the embedded database by the dump. Return where the replaced folder is kept. Raises InfraError."""
    if settings.database_url is not None:
        raise CopyError("restore fills the embedded PostgreSQL, but DATABASE_URL is set; use pg_restore.")
    Home(settings.home).make()
    postgres = Postgres(settings.home, folder_name=postgres_folders.RESTORING)
    words = ["--exit-on-error", "--single-transaction", "--no-owner"]
    with _locked(settings) as lock:
        postgres_folders.start_restore(settings.home)
        with _running(postgres, settings, lock), file.open("rb") as source:
            _run("pg_restore", words, postgres.url, stdin=source.fileno())
        return postgres_folders.switch(settings.home)


def _write_dump(url: str, file: Path) -> None:
    """Write under another name and rename: a file that exists is complete."""
    if file.exists():
        raise CopyError(f"{file} exists; remove it, or choose another name.")
    part = file.with_name(file.name + ".part")
    try:
        # The file holds all events, results and password hashes.
        part.touch(mode=0o600)
        with part.open("wb") as target:
            _run("pg_dump", ["--format=custom"], url, stdout=target.fileno())
            os.fsync(target.fileno())
        part.rename(file)
    except OSError as error:
        raise CopyError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def _run(program: str, words: list[str], url: str, stdin: int = subprocess.DEVNULL, stdout: int | None = None) -> None:
    """Run one of PostgreSQL's programs. The password is in its environment, since all users see its arguments."""
    parameters = {name: str(value) for name, value in conninfo_to_dict(for_libpq(url)).items()}
    password = parameters.pop("password", "")
    command = [str(find_program(program)), *words, "--dbname", make_conninfo("", **parameters)]
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(
        command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error:" in line] or done.stderr.splitlines()
        raise CopyError(lines[0] if lines else f"{program} exited with {done.returncode}.")


@contextmanager
def _locked(settings: Settings) -> Iterator[int]:
    """Lock the home against `up`, and end what a killed run left."""
    home = Home(settings.home)
    with home.locked() as lock:
        home.records.recover()
        yield lock


@contextmanager
def _running(postgres: Postgres, settings: Settings, lock: int) -> Iterator[None]:
    """Run the embedded server alone."""
    home = Home(settings.home)
    with OrphanGuard(home.root, lock) as guard, Supervisor(home.records, guard=guard) as supervisor:
        supervisor.start_stage([service_spec(postgres)], settings.wait_s)
        yield
