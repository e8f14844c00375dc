"""Bind the address for HTTP, and check whether the runtime is ready there."""

import errno
import os
import socket

from infra.errors import PortTakenError

PROBE_TIMEOUT_S = 2.0
BACKLOG = 2048  # connections that wait for web, as gunicorn has it; the kernel may allow fewer


def check_port(host: str, port: int) -> None:
    """Raise PortTakenError when nothing can listen there, before the work of a start."""
    bind(host, port).close()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket with this address, which does not listen yet. Raises PortTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET  # as gunicorn decides
    bound = socket.socket(family)
    try:
        # Connections of the last run that still time out do not hold the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _listen_error(error, host, port) from error
    return bound


def listen(bound: int, host: str, port: int) -> None:
    """Let a bound socket listen. Raises PortTakenError: another program may have bound the port at the same time.

    bound: its descriptor.
    """
    with socket.socket(fileno=os.dup(bound)) as listener:
        try:
            listener.listen(BACKLOG)
        except OSError as error:
            raise _listen_error(error, host, port) from error


def _listen_error(error: OSError, host: str, port: int) -> PortTakenError:
    if isinstance(error, socket.gaierror):
        return PortTakenError(f"HOST {host!r} is not a valid address.")
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(f"PORT {port} on {host} is already in use; set PORT (or --port) to a free port.")
    return PortTakenError(f"cannot listen on HOST {host}, PORT {port}: {error.strerror}.")


def is_answering(host: str, port: int) -> bool:
    """Return True if GET /readyz answers 200."""
    address = reachable_host(host)
    request = (
        f"GET /readyz HTTP/1.1\r\nHost: {http_url(address, port).removeprefix('http://')}\r\nConnection: close\r\n\r\n"
    )
    try:
        # http.client would import ssl: four megabytes for as long as `up` runs.
        with socket.create_connection((address, port), PROBE_TIMEOUT_S) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def reachable_host(host: str) -> str:
    """Return the address for a client on this machine: the loopback address for a server on all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def http_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
