"""Open connections that end at a deadline, to addresses that were checked."""

from __future__ import annotations

import io
import ipaddress
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import SplitResult

from examples.http_call.addresses import Allowance, is_public
from localfn import Fail

PORTS = {"http": 80, "https": 443}


class Deadline:
    """A moment at which everything has to be done."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return the seconds that are left. Raises TimeoutError (Python 3.9: socket.timeout) when none are."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        return left

    def at_most(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and the time in `seconds`."""
        return Deadline(min(seconds, self.left_s()))


class Wire(io.RawIOBase):
    """A socket on which no read and no write lasts beyond the deadline; http.client uses it like a socket.

    A timeout of the socket is not enough: it restarts with every byte that arrives.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.deadline = deadline
        self._sock = sock
        self._reader = io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True: BufferedReader asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived, or wait for it until the deadline."""
        self._sock.settimeout(self.deadline.left_s())
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        """Send everything before the deadline."""
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(self.deadline.left_s())
            rest = rest[self._sock.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader[Wire]:
        """Return the one reader of this socket."""
        return self._reader

    def close(self) -> None:
        """Close the socket, too."""
        self._sock.close()
        super().close()


def connect(url: SplitResult, deadline: Deadline, allowance: Allowance) -> Wire:
    """Connect to the host of `url`, with TLS for https.

    Raises Fail when the host has no address that may be called, OSError when none of them answers.
    """
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    addresses = _allowed(host, _resolve(host, port, deadline), allowance)
    sock = _connect_to_first(addresses, deadline)
    try:
        if url.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(
                sock, server_hostname=host.rstrip("."), do_handshake_on_connect=False
            )
            sock.settimeout(deadline.left_s())
            sock.do_handshake()
        return Wire(sock, deadline)
    except BaseException:
        sock.close()
        raise


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return what getaddrinfo does. It takes no timeout, so it runs in a thread that is left behind when late."""
    found: list[Any] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left_s())
    deadline.left_s()
    for error in errors:
        if isinstance(error, UnicodeError) or getattr(error, "errno", None) == socket.EAI_NONAME:
            raise Fail(f"the host {host} is not known") from None
        raise error
    return found


def _allowed(host: str, found: list[Any], allowance: Allowance) -> list[Any]:
    """Return the entries that may be called: the connection goes to these, the name is not looked up again."""
    allowed = []
    for entry in found:
        address = ipaddress.ip_address(entry[4][0].partition("%")[0])
        if is_public(address) or allowance.covers(host, address):
            allowed.append(entry)
    if not allowed:
        raise Fail(
            f"the host {host} has no public address (private, loopback, link-local …); "
            "the operator can allow it with FETCH_JSON_ALLOW_PRIVATE"
        )
    return allowed


def _connect_to_first(addresses: list[Any], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; a silent address costs only its share of the time."""
    failure = OSError("no address")
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.left_s() / (len(addresses) - place))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure
