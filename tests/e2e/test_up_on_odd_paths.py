"""Run one `localfn up` on paths with odd characters: it serves requests, shows no password, and leaves no process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from infra.embedded.postgres import Postgres
from infra.embedded.sockets import socket_folder
from infra.supervisor.termination import is_alive
from tests.support.commands import COMMAND
from tests.support.processes import read_each
from tests.support.up import CHILDREN, Up
from tests.support.waiting import wait_until

NAME = "my projects: 100 % ü '\"" + "long" * 25
NAPS = """
    SELECT a.outcome, r.status FROM request_attempt a JOIN processing_request r ON r.id = a.request_id
    WHERE r.function = 'nap'
"""
AWS_KEY = "secret-of-s3"
SECRETS = {"SUPERUSER_PASSWORD": "secret-of-the-admin", "LOCALFN_API_KEY": "lfn_secret-of-the-command-line"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("odd") / NAME
    for above in (folder.parent, *folder.parents[1:3]):
        above.chmod(0o711)  # As root, functions run as another account, which must reach the folder.
    folder.mkdir()
    (folder / "tmp *").mkdir()
    (folder / "py thon").symlink_to(sys.executable)
    (folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in SECRETS.items()))
    (folder / ".env").chmod(0o600)
    up = Up(
        folder,
        LOCALFN_HOME="ho me/of [it]",
        LOCALFN_PYTHON="./py thon",
        TMPDIR=str(folder / "tmp *"),
        SUPERUSER_USERNAME="ada",
        AWS_SECRET_ACCESS_KEY=AWS_KEY,
    )
    up.home = folder / "ho me" / "of [it]"
    up.wait_ready()
    yield up
    up.process.kill()
    up.process.communicate(timeout=30)
    up.records.recover()
    shutil.rmtree(socket_folder(up.home), ignore_errors=True)


def test_a_request_is_served(up: Up) -> None:
    assert up.submit("echo", {"a": 1}, Prefer="wait=30")["result"] == {"a": 1}
    assert up.submit("variable", "AWS_SECRET_ACCESS_KEY", Prefer="wait=30")["result"] == AWS_KEY
    assert "localfn_http_request_seconds_count{" in httpx.get(f"http://127.0.0.1:{up.port}/metrics").text


def test_a_command_finds_it_through_a_link(up: Up, short_tmp_path: Path) -> None:
    (short_tmp_path / "li nk").symlink_to(up.home)
    for home in (up.home, short_tmp_path / "li nk"):
        env = {"PATH": os.environ["PATH"], "LOCALFN_HOME": str(home), "PORT": str(up.port)}
        done = subprocess.run([*COMMAND, "users", "list"], env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, "ada" in done.stdout) == (0, True), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_shows_a_password(up: Up) -> None:
    password = (Postgres(up.home).folder / "password").read_text().strip()
    secrets = {**SECRETS, "AWS": AWS_KEY, "of PostgreSQL": password}
    for part in ("environ", "cmdline"):
        shown = read_each(up.descendants(), partial(_read_proc, part))
        assert len(shown) >= len(CHILDREN)
        assert not [(text, name) for text in shown for name, secret in secrets.items() if secret in text], part


def _read_proc(part: str, process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/{part}").read_text(errors="replace")


def test_a_frozen_up_is_not_considered_dead(up: Up) -> None:
    guard = up.find_guard()
    up.process.send_signal(signal.SIGSTOP)
    try:
        assert up.submit("echo", {}, Prefer="wait=30")["result"] == {}
        assert guard.status() == psutil.STATUS_SLEEPING
    finally:
        up.process.send_signal(signal.SIGCONT)


def test_all_processes_end_with_a_killed_up_and_running_requests_are_given_back(up: Up) -> None:
    naps = [up.submit("nap", 300)["id"] for _ in range(2)]
    wait_until(lambda: all(up.ask(f"/api/requests/{nap}")["status"] == "processing" for nap in naps), 30, "both run")
    family = up.descendants()
    assert all(up.pid(name) for name in CHILDREN)
    up.process.kill()
    up.process.wait()
    wait_until(lambda: not any(is_alive(process) for process in family), 30, "all have ended")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", up.port))
    assert list(up.records.folder.glob("*.json")) == []
    assert not (Postgres(up.home).data / "postmaster.pid").exists(), "PostgreSQL ended in order"
    assert outcomes(up.home) == [("given_back", "pending")] * len(naps)


def outcomes(home: Path) -> list[tuple[str, str]]:
    """Return the outcome of each attempt at naps, and the request's status, from the data folder."""
    postgres = Postgres(home)
    postgres.prepare()
    with subprocess.Popen(postgres.command(), start_new_session=True) as server:
        try:
            wait_until(postgres.is_ready, what="PostgreSQL is ready")
            with psycopg.connect(postgres.url.replace("+psycopg", "", 1)) as connection:
                return connection.execute(NAPS).fetchall()
        finally:
            server.send_signal(signal.SIGINT)
