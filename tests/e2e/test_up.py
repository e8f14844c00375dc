"""Run `localfn up` with real services and children: how it stops, and which problems prevent its start."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from infra.embedded.service_lookup import find_running_services
from infra.supervisor.termination import is_alive
from tests.e2e.conftest import Start, stop
from tests.support.runtime import make_folder
from tests.support.up import CHILDREN, Up, free_port, without_runtime_settings
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def shared() -> Iterator[Up]:
    """Yield a runtime for tests after which it is ready again: a start costs many seconds of processor time."""
    with make_folder() as folder:
        up = Up(folder)
        try:
            up.wait_ready()
            yield up
            up.end()
            assert up.process.returncode == 0
        finally:
            stop(up)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_up_with_all_its_processes_and_no_other_copy(
    shared: Up, start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    up = start()
    up.wait_ready()
    wait_until(shared.is_ready, what="the other copy is still ready")
    family, others = up.descendants(), [shared.pid(name) for name in CHILDREN]
    assert all(up.pid(name) for name in CHILDREN)
    up.end(number)
    assert up.process.returncode == 0
    assert not any(is_alive(process) for process in family)
    wait_until(shared.is_ready, what="the other copy is still ready")
    assert [shared.pid(name) for name in CHILDREN] == others
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", up.port))
    assert find_running_services(up.home).database_url is None
    # Another runtime of this machine may serve the default port of 127.0.0.1.
    gone = localfn_without_port(up, tmp_path, "functions", "list", HOST="127.0.0.9")
    assert (gone.returncode, "no runtime answers at http://127.0.0.9:5000; start it" in gone.stderr) == (3, True)


def test_commands_without_a_port_find_the_runtime_of_their_home(shared: Up, tmp_path: Path) -> None:
    commands = [("functions", "list"), ("requests", "list"), ("doctor",)]
    for words in commands:
        assert localfn_without_port(shared, tmp_path, *words).returncode == 0, words
    url = f"http://localhost:{shared.port}"
    assert localfn_without_port(shared, tmp_path, "users", "list", LOCALFN_URL=url).returncode == 0


def localfn_without_port(up: Up, folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "localfn_runtime", *words]
    env = without_runtime_settings() | {"LOCALFN_HOME": str(up.home)} | environ
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_second_up_on_the_same_home_is_rejected_and_the_first_continues(shared: Up, short_tmp_path: Path) -> None:
    second = Up(short_tmp_path, LOCALFN_HOME=str(shared.home), PORT=str(free_port()))
    try:
        refusal = second.read_refusal()
    finally:
        second.process.kill()
    assert refusal.startswith(f"localfn: localfn already runs with {shared.home} (pid {shared.process.pid})")
    wait_until(shared.is_ready, what="it is still ready")


def test_a_port_in_use_is_rejected_before_any_process_starts(start: Start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        up = start(PORT=str(port))
        assert up.read_refusal().startswith(f"localfn: PORT {port} on 127.0.0.1 is already in use")
    assert not (up.home / "postgres").exists()


def test_a_home_below_a_file_is_rejected(start: Start, short_tmp_path: Path) -> None:
    (short_tmp_path / "file").touch()
    home = short_tmp_path / "file" / "home"
    assert (
        start(LOCALFN_HOME=str(home)).read_refusal() == f"localfn: LOCALFN_HOME {home} cannot be used: Not a directory."
    )


@pytest.mark.parametrize("python", ["/nonexistent/python", "/bin/echo"])
def test_a_path_that_is_not_an_interpreter_is_rejected(start: Start, python: str) -> None:
    assert start(LOCALFN_PYTHON=python).read_refusal(exit_code=2).startswith("localfn: LOCALFN_PYTHON: ")


def test_an_interpreter_that_cannot_run_functions_stops_the_start(start: Start, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -I ] && exec {shlex.quote(sys.executable)} "$@"\necho no libraries here >&2\nexit 1\n'
    )
    python.chmod(0o755)
    refusal = start(LOCALFN_PYTHON=str(python)).read_refusal(exit_code=2)
    assert refusal.endswith("cannot run functions: no libraries here")


def test_an_unknown_setting_is_a_usage_error(start: Start) -> None:
    up = start(LOCALFN_CONCURENCY="3")
    _, errors = up.process.communicate(timeout=60)
    assert (up.process.returncode, errors.count("\n")) == (2, 1)
    assert "did you mean LOCALFN_CONCURRENCY?" in errors


def test_each_killed_child_is_restarted(shared: Up) -> None:
    for name in CHILDREN:
        killed = shared.pid(name)
        os.kill(killed, signal.SIGKILL)
        wait_until(partial(shared.has_another, name, killed), 20, f"{name} started again")
        wait_until(shared.is_ready, 20, f"ready again after {name}")


def test_new_connections_wait_while_a_killed_web_starts_again(shared: Up) -> None:
    refused, answered, is_over = list[Exception](), list[int](), threading.Event()

    def call_repeatedly() -> None:
        while not is_over.is_set():
            try:
                answered.append(httpx.get(f"http://127.0.0.1:{shared.port}/healthz", timeout=30).status_code)
            except httpx.ConnectError as error:
                refused.append(error)
            except httpx.TransportError:  # the killed process had accepted this connection
                continue

    callers = [threading.Thread(target=call_repeatedly, daemon=True) for _ in range(2)]
    for caller in callers:
        caller.start()
    for number in (signal.SIGKILL, signal.SIGTERM):
        killed = shared.pid("web")
        os.kill(killed, number)
        wait_until(partial(shared.has_another, "web", killed), 20, "web started again")
        answered.clear()
        wait_until(lambda: len(answered) > 20, 20, "calls are answered again")
    is_over.set()
    for caller in callers:
        caller.join()
    assert refused == []


def test_the_next_up_ends_the_processes_of_a_killed_up_and_its_killed_guard(start: Start) -> None:
    first = start()
    first.wait_ready()
    left = [psutil.Process(first.pid(name)) for name in CHILDREN]
    guard = first.find_guard()
    first.process.kill()
    guard.kill()
    second = start(PORT=str(first.port))
    second.wait_ready()
    assert not any(is_alive(process) for process in left)
    assert "processes of a killed run were ended" in second.end()


def test_a_killed_guard_is_replaced(shared: Up) -> None:
    killed = shared.find_guard()
    killed.kill()
    wait_until(lambda: shared.find_guard() != killed, what="another guard")


def test_another_process_finds_the_services_of_a_running_up(shared: Up) -> None:
    running = find_running_services(shared.home)
    assert running.database_url is not None
    assert running.redis_url is not None


def test_a_process_without_a_runtime_says_that_none_is_reachable(short_tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "localfn_runtime", "worker"],
        cwd=short_tmp_path,
        env=without_runtime_settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "no runtime is reachable" in done.stderr
