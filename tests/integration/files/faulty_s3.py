"""Relay connections to an S3 server, and hang, deny, or cut answers."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from enum import StrEnum

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
ANSWER = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
CUT_AFTER = 512 * 1024  # bytes of an answer


class Fault(StrEnum):
    NONE = "none"
    HANG = "hang"  # take the call, and never answer
    DENY = "deny"
    CUT = "cut"  # close the connection in the middle of an answer


class FaultyS3:
    """Listen on a free port. fault: of connections that begin from now on, and of answers that begin."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.fault = Fault.NONE
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def end_connections(self) -> None:
        """Close the kept-alive connections, so that the next call meets the fault."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self.fault is Fault.HANG:
                while client.recv(65536):
                    pass
            elif self.fault is Fault.DENY:
                client.recv(65536)
                client.sendall(ANSWER % (len(DENIED), DENIED))
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            else:
                self._relay(client)

    def _relay(self, client: socket.socket) -> None:
        with socket.create_connection(self._upstream) as server:
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            passed = 0
            while data := server.recv(65536):
                passed += len(data)
                if self.fault is Fault.CUT and passed > CUT_AFTER:
                    return
                client.sendall(data)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def run_faulty_s3(host: str, port: int) -> Iterator[FaultyS3]:
    made = FaultyS3((host, port))
    try:
        yield made
    finally:
        made.close()
