"""Send many bad requests at once: memory stays bounded, and other clients get responses meanwhile."""

import contextlib
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.security.conftest import ProductionRuntime
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

MIB = 1024 * 1024
MAX_MEMORY_MB = 300
LATER = {"delay_s": "86400"}  # Stored and not run.
JSON = {"Content-Type": "application/json"}


def peak_mb(runtime: Runtime) -> float:
    """Return the highest peak memory of a web process, in MB."""
    serving = psutil.Process(runtime.processes["web"].pid).children()
    peaks = [Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0] for process in serving]
    return max(map(int, peaks)) / 1024


def check_service(runtime: Runtime) -> None:
    """Assert that probes, a read and a submit get responses."""
    with httpx.Client(base_url=runtime.url, timeout=60) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/api/functions").status_code == 200
        assert http.post("/api/functions/echo", json="well").status_code == 202
        wait_until(lambda: http.get("/readyz").status_code == 200, 30, "it is ready, and says so")


@contextlib.contextmanager
def lines(runtime: Runtime, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that have each sent the start of a request."""
    port = int(runtime.url.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 60)) for _ in range(count)]
        for line in found:
            line.sendall(sent)
        yield found


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join((line, "Host: localhost", "Content-Type: application/json", *fields, "", "")).encode()


@pytest.mark.parametrize(
    "sent",
    [
        head("POST /api/functions/echo HTTP/1.1", "Content-Length: 1000000") + b'"begun',
        head("POST /api/functions/echo HTTP/1.1", "Content-Length: 1000") + b'"begun',
        head("POST /api/functions/echo HTTP/1.1", "Transfer-Encoding: chunked") + b'6\r\n"begun\r\n',
        head("POST /api/functions/echo HTTP/1.1", "Content-Length: 9", "Expect: 100-continue"),
        head("GET /api/functions HTTP/1.1")[:-2],
        b"G",
    ],
)
def test_incomplete_requests_do_not_block_other_clients(runtime: Runtime, sent: bytes) -> None:
    with lines(runtime, 150, sent):
        check_service(runtime)


def test_clients_that_read_no_response_do_not_block_others(runtime: Runtime) -> None:
    large = runtime.call("echo", "x" * (MIB - 100))
    asked = head(f"GET /api/requests/{large['id']}/result HTTP/1.1") * 3
    with lines(runtime, 100, asked) as silent:
        check_service(runtime)
        answer = http_answer(silent[0])
    assert json.loads(answer)["data"] == "x" * (MIB - 100)
    assert peak_mb(runtime) < MAX_MEMORY_MB


def http_answer(line: socket.socket) -> bytes:
    """Read the body of the first response on a connection."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += line.recv(65_536)
    fields, _, body = found.partition(b"\r\n\r\n")
    size = int(fields.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        body += line.recv(65_536)
    return body[:size]


def test_pipelined_requests_are_answered_in_order(runtime: Runtime) -> None:
    asked = head("GET /healthz HTTP/1.1") + head("GET /api/requests?limit=0 HTTP/1.1")
    with lines(runtime, 1, asked * 500) as [line]:
        line.shutdown(socket.SHUT_WR)
        found = b""
        while data := line.recv(65_536):
            found += data
    statuses = [part[:3] for part in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"422"] * 500


EXPENSIVE = {
    "objects": "[" + "{}," * (MIB // 3 - 100) + "{}]",
    "a character of four bytes": '["😀"' + ",[]" * (MIB // 3 - 100) + "]",
}


@pytest.mark.parametrize("event", EXPENSIVE.values(), ids=EXPENSIVE)
def test_expensive_values_stay_within_the_memory_limit(runtime: Runtime, event: str) -> None:
    one, many = event.encode(), f"[{','.join([event] * 15)}]".encode()

    def post(number: int) -> httpx.Response:
        path, body = ("/api/functions/echo/batch", many) if number == 0 else ("/api/functions/echo", one)
        return httpx.post(runtime.url + path, content=body, params=LATER, headers=JSON, timeout=120)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))
    stored = [id for answer in answers if answer.status_code == 202 for id in ids(answer)]
    try:
        assert stored
        for answer in answers:
            assert answer.status_code == 202 or (answer.status_code == 503 and answer.headers["Retry-After"])
        assert httpx.get(f"{runtime.url}/api/requests/{stored[0]}", timeout=120).json()["event"] == json.loads(event)
        page = httpx.get(f"{runtime.url}/api/requests?limit=500", timeout=120)
        assert page.status_code in (200, 503)
        assert peak_mb(runtime) < MAX_MEMORY_MB
    finally:
        for id in stored:
            httpx.delete(f"{runtime.url}/api/requests/{id}", timeout=120)


def ids(answer: httpx.Response) -> list[str]:
    found = answer.json()
    return found["ids"] if "ids" in found else [found["id"]]


def test_one_event_of_a_batch_has_a_smaller_limit_than_the_batch(runtime: Runtime) -> None:
    body = b"[1,[" + b"{}," * (4 * MIB) + b"{}]]"
    answer = httpx.post(f"{runtime.url}/api/functions/echo/batch", content=body, headers=JSON, timeout=120)
    assert (answer.status_code, answer.json()["detail"][:12]) == (413, "Event 1 has ")
    assert peak_mb(runtime) < MAX_MEMORY_MB


def test_an_upload_of_many_parts_is_buffered_on_disk(runtime: Runtime) -> None:
    files = {f"f{number}": (f"f{number}", b"%d" % number * 100_000) for number in range(300)}
    answer = runtime.http.post("/api/functions/echo", files=files, params=LATER, timeout=120)
    assert answer.status_code == 202, answer.text
    request = answer.json()
    try:
        assert {file["name"]: file["size"] for file in request["files"]} == {
            name: len(content) for name, (_, content) in files.items()
        }
        assert runtime.http.get(f"/api/requests/{request['id']}/files/f299").content == files["f299"][1]
        assert peak_mb(runtime) < MAX_MEMORY_MB
    finally:
        runtime.http.delete(f"/api/requests/{request['id']}")


def test_a_page_of_large_events_is_whole(runtime: Runtime) -> None:
    events = ["x" * size for size in (10, 3_000, 100_000, 700_000, 5, 300_000)]
    stored = [runtime.post("echo", event, params=LATER)["id"] for event in events]
    try:
        items = runtime.get("/api/requests?limit=500")["items"]
        assert [item["event"] for item in items if item["id"] in stored] == events[::-1]
    finally:
        for id in stored:
            runtime.http.delete(f"/api/requests/{id}")


def test_one_sender_cannot_use_the_body_capacity_of_all(production: ProductionRuntime) -> None:
    greedy, other = production.key("invoke", name="greedy"), production.key("invoke", name="other")
    body = b'"' + b"x" * 200_000 + b'"'
    sent = head("POST /api/functions/echo HTTP/1.1", f"Authorization: Bearer {greedy}", f"Content-Length: {len(body)}")

    def post(key: str) -> int:
        headers = JSON | {"Authorization": f"Bearer {key}"}
        return httpx.post(
            f"{production.runtime.url}/api/functions/echo", content=body, headers=headers, timeout=60
        ).status_code

    with lines(production.runtime, 60, sent + body[:100_000]):
        wait_until(lambda: post(greedy) == 503, 30, "the greedy sender gets a 503")
        assert post(other) == 202


def test_a_flood_of_logins_is_rejected_and_then_recovers(production: ProductionRuntime) -> None:
    body = {"username": "ada", "password": "wrong password"}

    def wrong(_: int) -> int:
        return httpx.post(f"{production.runtime.url}/api/session", json=body, timeout=60).status_code

    with ThreadPoolExecutor(60) as pool:
        attempts = [pool.submit(wrong, number) for number in range(120)]
        probes = [httpx.get(f"{production.runtime.url}/healthz", timeout=60).status_code for _ in range(10)]
        statuses = {attempt.result() for attempt in attempts}
    assert probes == [200] * 10
    assert statuses <= {401, 429}
    assert 429 in statuses
    with production.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM login_failure")
    wait_until(lambda: production.log_in("ada").status_code == 200, 30, "the user can log in")


def test_an_unknown_username_is_stored_truncated(production: ProductionRuntime) -> None:
    assert production.log_in("x" * 10_000).status_code == 401
    with production.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT max(length(subject)) FROM audit_entry").scalar_one()
    assert found <= 65
