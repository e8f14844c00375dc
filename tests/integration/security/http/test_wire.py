"""Send raw bytes: the server bounds time and size, responds or closes the connection, and never returns a 5xx."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.runtime import Runtime

TIMEOUT_S = 30


def connect(runtime: Runtime) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(runtime.url.rpartition(":")[2])), timeout=TIMEOUT_S)


def read_all(runtime: Runtime, *parts: bytes) -> bytes:
    """Return all bytes received until the server closes the connection."""
    with connect(runtime) as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                line.sendall(part)
        return rest(line)


def rest(line: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := line.recv(65_536):
            found += data
    return found


def status(answer: bytes) -> int:
    """Return the status of a response; 0: the connection was closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def head(line: str = "POST /api/functions/echo HTTP/1.1", *more: str) -> bytes:
    return "\r\n".join((line, "Host: localhost", "Content-Type: application/json", "Connection: close", *more)).encode()


@contextlib.contextmanager
def nothing_stored(runtime: Runtime) -> Iterator[None]:
    before = runtime.newest_ids()
    files = sorted(path.name for path in (runtime.home / "files").iterdir())
    yield
    assert runtime.newest_ids() == before
    assert sorted(path.name for path in (runtime.home / "files").iterdir()) == files


END = b"\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [b"\0" * 10_000 + END],
        [b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n"],
        [head("POST /api/functions/echo HTTP/1.1", "X: " + "y" * 1_000_000) + END],
        [head("POST /api/functions/echo HTTP/1.1", *(f"X{number}: y" for number in range(5000))) + END],
        [
            head("POST /api/functions/echo HTTP/1.1", "Cookie: " + "a=b; " * 1000)
            + b"\r\n"
            + b"Content-Length: -1"
            + END
        ],
        [head("POST /api/functions/echo HTTP/1.1", "Content-Length: 99999999999999999999") + END, b"{}"],
        [head("POST /api/functions/echo HTTP/1.1", "Content-Length: 2, 3") + END + b"{}"],
        [head("POST /api/functions/echo HTTP/1.1", "Content-Length: +2") + END + b"{}"],
        [head("POST /api/functions/echo HTTP/1.1", "Content-Length: 0x2") + END + b"{}"],
        [head("POST /api/functions/echo HTTP/1.1", "Transfer-Encoding: chunked") + END + b"ffffffffffffffff\r\n{}"],
        [head("POST /api/functions/echo HTTP/1.1", "Transfer-Encoding: chunked") + END + b"-2\r\n{}\r\n0\r\n\r\n"],
        [head("POST /api/functions/echo HTTP/1.1", "Transfer-Encoding: xchunked") + END + b"0\r\n\r\n"],
        [
            head("POST /api/functions/echo HTTP/1.1", "Content-Encoding: gzip", "Content-Length: 3")
            + END
            + b"\x1f\x8b\x08"
        ],
        [head("POST /api/functions/echo HTTP/9.9", "Content-Length: 2") + END + b"{}"],
        [head("P\0ST /api/functions/echo HTTP/1.1", "Content-Length: 2") + END + b"{}"],
        [b"POST /api/functions/echo HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}"],
        [head("POST /api/functions/echo HTTP/1.1", "Content-Length : 2") + END + b"{}"],
        [head("POST /api/functions/echo HTTP/1.1", " folded: 2") + END + b"{}"],
    ],
)
def test_malformed_http_is_rejected_and_stores_nothing(runtime: Runtime, parts: list[bytes]) -> None:
    with nothing_stored(runtime):
        assert status(read_all(runtime, *parts)) in (0, 400, 405, 411, 413, 414, 415, 431, 501, 505)


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 4"),
        ("Content-Length: 2", "Content-Length: 40"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding:\x0bchunked",),
    ],
)
def test_no_request_is_smuggled_behind_another(runtime: Runtime, fields: tuple[str, ...]) -> None:
    smuggled = b"0\r\n\r\nGET /api/functions HTTP/1.1\r\nHost: localhost\r\n\r\n"
    first = "\r\n".join(("POST /api/session HTTP/1.1", "Host: localhost", *fields)).encode() + END
    with connect(runtime) as line:
        line.sendall(first + smuggled)
        line.settimeout(5)
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while data := line.recv(65_536):
                answer += data
    assert answer.count(b"HTTP/1.") <= 1 or b'"items"' not in answer, answer


def test_an_incomplete_body_times_out_and_stores_nothing(runtime: Runtime) -> None:
    with nothing_stored(runtime):
        began = time.monotonic()
        answer = read_all(runtime, head("POST /api/functions/echo HTTP/1.1", "Content-Length: 1000") + END, b'{"a": ')
        assert status(answer) in (0, 400, 408)
        assert 1 < time.monotonic() - began < 20


def test_an_incomplete_upload_leaves_no_file(runtime: Runtime) -> None:
    incomplete = (
        b"POST /api/functions/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5000000\r\n"
        b'Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: form-data; name="f"; '
        b'filename="f"\r\n\r\n' + b"y" * 2_000_000
    )
    with nothing_stored(runtime):
        assert status(read_all(runtime, incomplete)) in (0, 400, 408)


def test_slow_and_idle_clients_do_not_delay_others(runtime: Runtime) -> None:
    """Three hundred clients send nothing, three hundred never complete their head."""
    with contextlib.ExitStack() as open_lines:
        for number in range(600):
            line = open_lines.enter_context(connect(runtime))
            if number % 2:
                line.sendall(b"GET /api/functions HTTP/1.1\r\nHost: localhost\r\nX: ")
        began = time.monotonic()
        assert runtime.result("echo", "well") == "well"
        assert time.monotonic() - began < 20


def test_a_trickling_head_is_disconnected(runtime: Runtime) -> None:
    with connect(runtime) as line:
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for letter in b"GET /api/functions HTTP/1.1\r\n" + b"X" * 1000:
                line.sendall(bytes([letter]))
                line.settimeout(0.25)
                with contextlib.suppress(TimeoutError):
                    if not line.recv(1):
                        break
                assert time.monotonic() - began < 20
        assert time.monotonic() - began < 20


def test_a_slow_client_gets_its_response(runtime: Runtime) -> None:
    body = b'"' + b"x" * 300_000 + b'"'
    with connect(runtime) as line:
        line.sendall(head("POST /api/functions/echo HTTP/1.1", f"Content-Length: {len(body)}") + END)
        for place in range(0, len(body), 30_000):
            line.sendall(body[place : place + 30_000])
            line.settimeout(0.5)  # The pace of the client, not a wait for the server.
            with contextlib.suppress(TimeoutError):
                line.recv(0)
        line.settimeout(TIMEOUT_S)
        assert status(rest(line)) == 202


def test_a_keep_alive_connection_may_be_idle(runtime: Runtime) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(runtime.url.rpartition(":")[2]), timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", "/api/functions/echo")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()


def bomb(parts: int, size: int, name: str = "f{}") -> tuple[bytes, str]:
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        % (name.format(number).encode(), name.format(number).encode(), b"y" * size)
        for number in range(parts)
    )
    return body + b"--x--\r\n", "multipart/form-data; boundary=x"


def test_a_multipart_bomb_is_rejected(runtime: Runtime) -> None:
    for body, kind in (
        bomb(20_000, 0),
        bomb(2, 10, "same"),
        (b"--x\r\n" + b"Header: y\r\n" * 200_000 + b"\r\n\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"x" * 1000, "multipart/form-data"),
        (b"x" * 1000, "multipart/form-data; boundary=" + "y" * 5000),
        (
            b'--x\r\nContent-Disposition: form-data; name="event"\r\n\r\n' + b"1" * 2_000_000 + b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
    ):
        with nothing_stored(runtime):
            began = time.monotonic()
            # An unread body closes the connection, which the next call cannot use.
            headers = {"Content-Type": kind, "Connection": "close"}
            answer = runtime.http.post("/api/functions/echo", content=body, headers=headers)
            assert answer.status_code in (400, 413, 422), (answer.status_code, body[:60])
            assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"[" * 101 + b"]" * 101,
        b'"' + b"\\u0000" * 10 + b'"',
        b"1" * 1_000_000,
        b"-" * 1_000_000,
        b"1e999999999",
        b'{"a": 1, "a": NaN}',
        b'"\\ud800"',
        b"\xff\xfe{\0}\0",
        b'{"__proto__": ' * 50_000,
    ],
)
def test_a_json_bomb_is_rejected_quickly_or_accepted_whole(runtime: Runtime, body: bytes) -> None:
    began = time.monotonic()
    headers = {"Content-Type": "application/json", "Connection": "close"}
    answer = runtime.http.post("/api/functions/echo", content=body, headers=headers)
    assert answer.status_code in (202, 400, 413), answer.text
    assert time.monotonic() - began < 20
