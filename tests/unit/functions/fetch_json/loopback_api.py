"""Serve a small HTTP API on a free loopback port, with scripted answers and recorded calls."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Answer a call with the next scripted answer of the API."""

    server: Server
    wbufsize = -1  # head and body leave together, on a slow machine, too

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.api.calls.append(Call(self.command, self.path, headers, self.rfile.read(length)))
        self.server.api.answers.pop(0)(self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names that http.server looks for

    def log_message(self, *args: object) -> None:
        """Silent."""


Answer = Callable[[Handler], None]


@dataclass
class Api:
    """Hold scripted answers and recorded calls.

    answers: for the next calls, in order. released: set at the end, for answers that wait.
    """

    url: str
    answers: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class Server(ThreadingHTTPServer):
    api: Api

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore closed connections: some tests close them on purpose."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Api]:
    """Serve until the block ends; with TLS when a certificate and its key are given."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.api = Api(f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}")
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.api
        finally:
            server.api.released.set()
            server.shutdown()
            thread.join()


def nothing(handler: Handler) -> None:
    """Close the connection without an answer."""


def hang(handler: Handler) -> None:
    """Send nothing until the test ends."""
    handler.server.api.released.wait(30)


def raw(*pieces: bytes, drip: bytes = b"") -> Answer:
    """Send raw bytes, then `drip` repeatedly until the test ends or the caller closes the connection."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        for piece in pieces:
            handler.wfile.write(piece)
        handler.wfile.flush()
        while drip and not handler.server.api.released.wait(0.02):
            handler.wfile.write(drip)
            handler.wfile.flush()

    return send


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Answer:
    """Return an answer with a length; underscores in header names become hyphens."""

    def send(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send
