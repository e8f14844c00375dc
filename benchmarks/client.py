"""Send HTTP requests at little cost, so that a benchmark on a shared machine does not measure its own clients."""

import json
import multiprocessing
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

LENGTH = b"content-length:"


class Connection:
    """Hold one keep-alive connection. Raises ConnectionError when the server closes it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.host = f"{address.hostname}:{address.port}"
        self._socket = socket.create_connection((address.hostname, address.port))
        self.head = b""  # of the last response
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, bytes]:
        """Send a request; return status and body of the response.

        headers: lines that end with CRLF.
        """
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self._socket.sendall(head.encode() + body)
        return self._answer()

    def log_in(self, username: str, password: str) -> str:
        """Log in and return the session cookie for a Cookie header."""
        body = json.dumps({"username": username, "password": password}).encode()
        self.request("POST", "/api/session", body, "Content-Type: application/json\r\n")
        return self.head.partition(b"Set-Cookie: ")[2].partition(b";")[0].decode()

    def _answer(self) -> tuple[int, bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        self.head = data[:end]
        head = self.head.lower()
        start = head.find(LENGTH)
        size = 0 if start < 0 else int(head[start + len(LENGTH) :].split(b"\r\n", 1)[0])
        body = data[end + 4 :]
        while len(body) < size:
            body += self._more()
        return int(head[9:12]), body

    def _more(self) -> bytes:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


def post(path: str, body: bytes, headers: str = "") -> Callable[[Connection], None]:
    """Return a call that posts the body, and fails unless it is accepted."""

    def call(connection: Connection) -> None:
        status, answer = connection.request("POST", path, body, f"Content-Type: application/json\r\n{headers}")
        assert status in (200, 202), answer

    return call


def get(path: str) -> Callable[[Connection], None]:
    """Return a call that fails unless the response is 200."""

    def call(connection: Connection) -> None:
        status, answer = connection.request("GET", path)
        assert status == 200, answer

    return call


def rate(url: str, call: Callable[[Connection], None], clients: int, seconds: float) -> float:
    """Return the calls per second of `clients` clients together, each with one call at a time.

    The clients are threads of one separate process, so that their number does not depend on the processors.
    """
    context = multiprocessing.get_context("fork")
    counts = context.SimpleQueue()
    process = context.Process(target=_crowd, args=(counts.put, url, call, clients, seconds))
    process.start()
    process.join()
    assert process.exitcode == 0, "the clients failed"
    return float(counts.get()) / seconds


def _crowd(
    tell: Callable[[int], None], url: str, call: Callable[[Connection], None], clients: int, seconds: float
) -> None:
    ends_at = time.monotonic() + seconds

    def run_client(_: int) -> int:
        connection, count = Connection(url), 0
        while time.monotonic() < ends_at:
            call(connection)
            count += 1
        connection.close()
        return count

    with ThreadPoolExecutor(clients) as crowd:
        tell(sum(crowd.map(run_client, range(clients))))
