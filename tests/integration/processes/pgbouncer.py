"""Run a PgBouncer in front of a PostgreSQL: the installed one, or the one that `./dev test` has unpacked."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from infra.embedded.unprivileged_user import server_user
from tests.support.runtime import free_port
from tests.support.waiting import wait_until

UNPACKED = Path(sys.prefix) / "pgbouncer"
SYSTEM_PROGRAMS = "/usr/sbin"  # Debian's place, which is on the PATH of root alone
STOP_LIMIT_S = 10


@contextmanager
def run_pgbouncer(database_url: str, mode: str, folder: Path, pool_size: int = 100) -> Iterator[str]:
    """Yield the URL of the same database through PgBouncer. mode: its pool_mode. Skip the test without the program."""
    program, env = _find_program(folder)
    direct, port = sqlalchemy.make_url(database_url), free_port()
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{direct.username}" "{direct.password}"\n')
    server = f"host={direct.host or direct.query['host']} port={direct.port or direct.query['port']}"
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": users,
        "pool_mode": mode,
        "default_pool_size": pool_size,
        "max_client_conn": 500,
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    configuration.write_text("\n".join(["[databases]", f"* = {server}", "[pgbouncer]", *lines, ""]))
    with (folder / "pgbouncer.log").open("wb") as log:
        # As the account of PostgreSQL, whose socket no other account reaches; PgBouncer does not run as root.
        command = [*server_user().prefix, program, str(configuration)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    url = direct.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
    try:
        wait_until(lambda: _answers(url), 10, "PgBouncer answers")
        yield url
    finally:
        process.terminate()
        process.wait(STOP_LIMIT_S)


def _find_program(folder: Path) -> tuple[str, dict[str, str]]:
    """Return the program and its environment. Skip the test without it."""
    installed = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:{SYSTEM_PROGRAMS}")
    if installed is not None:
        return installed, dict(os.environ)
    if not UNPACKED.is_dir():
        pytest.skip("the program pgbouncer is not installed")
    copied = folder / "pgbouncer"  # where the account of PostgreSQL may read it
    shutil.copytree(UNPACKED, copied, symlinks=True, dirs_exist_ok=True)
    libraries = {str(path.parent) for path in copied.glob("usr/lib/**/*.so.*")}
    return str(copied / "usr/sbin/pgbouncer"), {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
