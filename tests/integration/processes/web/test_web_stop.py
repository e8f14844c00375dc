"""Stop web while clients wait, upload, hold connections and send calls: each gets an answer or a clean end."""

import contextlib
import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import StartRuntime
from tests.integration.processes.web.steady_caller import Caller
from tests.support.processes import children_of
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

GRACE_S = 4
ANSWERED_S = 3.0  # limit for an answer "at once" on a loaded machine; the clients ask to wait for 50 s
HEAD = (
    b"POST /api/functions/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)
LARGE = json.dumps("x" * 200_000).encode()  # more than a web process receives before a thread reads the body


@pytest.fixture(scope="module")
def own(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(settings={"LOCALFN_WEB_GRACE_SECONDS": str(GRACE_S)}) as made:
        yield made


@contextmanager
def started_again(runtime: Runtime) -> Iterator[None]:
    """Start web again at the end of the block."""
    try:
        yield
    finally:
        if "web" not in runtime.processes:
            runtime.start("web")
        wait_until(runtime.is_ready, 30, "web is ready again")


def connect(runtime: Runtime) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(runtime.url.rpartition(":")[2])), timeout=30)


def read_rest(connection: socket.socket) -> bytes:
    """Return all bytes up to the end of the connection. Raises ConnectionResetError."""
    return b"".join(iter(partial(connection.recv, 65_536), b""))


def start_waiting(runtime: Runtime, pool: ThreadPoolExecutor, flag: Path) -> tuple[Future[httpx.Response], ...]:
    """Let one client wait for a new request, and another one for a change of it; return both when they wait."""
    before = count_connections(runtime)
    posted = pool.submit(
        httpx.post,
        f"{runtime.url}/api/functions/wait_for_flag",
        json={"flag": str(flag)},
        headers={"Prefer": "wait=50"},
        timeout=60,
    )

    def find_running() -> str | None:
        items = runtime.get("/api/requests?function=wait_for_flag&status=processing")["items"]
        return items[0]["id"] if items else None

    request_id = wait_until(find_running, what="the request runs")
    polled = pool.submit(httpx.get, f"{runtime.url}/api/requests/{request_id}?wait=50", timeout=60)
    wait_until(lambda: count_connections(runtime) == before + 2, what="both are connected")
    return posted, polled


def count_connections(runtime: Runtime) -> int:
    """Return the number of connections that web has accepted, with that of the shared client."""
    runtime.get("/healthz")
    port = int(runtime.url.rpartition(":")[2])
    web = runtime.processes["web"].pid
    opened = [each for child in children_of(web) for each in child.net_connections("tcp")]
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in opened)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_waiting_clients_are_answered_when_web_stops(own: Runtime, tmp_path: Path, number: signal.Signals) -> None:
    with ThreadPoolExecutor(2) as pool, started_again(own):
        posted, polled = start_waiting(own, pool, tmp_path / "flag")
        began = time.monotonic()
        assert own.stop("web", number) == 0
        answer, state = posted.result(), polled.result()
        assert time.monotonic() - began < ANSWERED_S
    request_id = answer.json()["id"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/requests/{request_id}")
    assert (state.status_code, state.json()["id"]) == (200, request_id)
    for each in (answer, state):
        assert (each.headers["Retry-After"], each.headers["Connection"]) == ("2", "close")
    (tmp_path / "flag").touch()
    assert own.wait_ended(request_id)["status"] == "completed"


def test_waiting_clients_are_answered_when_one_process_of_web_is_replaced(own: Runtime, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        posted, polled = start_waiting(own, pool, tmp_path / "flag")
        for child in children_of(own.processes["web"].pid):
            child.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert (posted.result().status_code, polled.result().status_code) == (202, 200)
        assert time.monotonic() - began < ANSWERED_S
    (tmp_path / "flag").touch()
    assert own.wait_ended(posted.result().json()["id"])["status"] == "completed"


def stop_in_mid_upload(runtime: Runtime) -> tuple[socket.socket, "threading.Thread"]:
    """Send one half of a body, and stop web; return the connection when web accepts no others."""
    before = count_connections(runtime)
    connection = connect(runtime)
    connection.sendall(HEAD % len(LARGE) + LARGE[: len(LARGE) // 2])
    wait_until(lambda: count_connections(runtime) == before + 1, what="the upload has begun")
    stop = threading.Thread(target=runtime.stop, args=["web"])
    stop.start()
    wait_until(lambda: not accepts(runtime), what="web accepts no connection")
    return connection, stop


def accepts(runtime: Runtime) -> bool:
    try:
        connect(runtime).close()
    except ConnectionRefusedError:
        return False
    return True


def test_an_upload_under_way_is_finished(own: Runtime) -> None:
    with started_again(own):
        connection, stop = stop_in_mid_upload(own)
        with connection:
            connection.sendall(LARGE[len(LARGE) // 2 :])
            answer = read_rest(connection)
        stop.join()
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"\r\nConnection: close\r\n" in answer
    accepted = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert own.wait_ended(accepted["id"])["status"] == "completed"


def test_a_call_that_exceeds_the_grace_is_cut_off(own: Runtime) -> None:
    before = own.newest_ids()
    with started_again(own):
        began = time.monotonic()
        connection, stop = stop_in_mid_upload(own)
        with connection, contextlib.suppress(ConnectionResetError):
            assert read_rest(connection) == b""
        stop.join()
        assert GRACE_S - 0.5 < time.monotonic() - began < GRACE_S + 3
    assert own.newest_ids() == before


def test_an_idle_connection_is_closed_without_a_reset(own: Runtime) -> None:
    with started_again(own), connect(own) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"ok"}\n'):
            answer += idle.recv(65_536)
        assert b"\r\nConnection: keep-alive\r\n" in answer
        began = time.monotonic()
        assert own.stop("web") == 0
        assert time.monotonic() - began < GRACE_S
        assert read_rest(idle) == b""


def test_busy_connections_end_with_a_response_and_none_is_reset(own: Runtime) -> None:
    with started_again(own):
        callers = [Caller(lambda: own.url) for _ in range(4)]
        wait_until(lambda: all(caller.results["202"] > 5 for caller in callers), what="all callers are busy")
        assert own.stop("web") == 0
        results = sum((caller.end() for caller in callers), Counter())
    assert results.keys() == {"202", "ConnectionRefusedError"}
