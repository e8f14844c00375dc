"""Check the address for HTTP: whether the port is free, and whether the runtime is ready there."""

import errno
import socket

from infra.errors import PortTakenError

PROBE_TIMEOUT_S = 2.0


def check_port(host: str, port: int) -> None:
    """Raise PortTakenError when nothing can listen there, before the work of a start."""
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as candidate:
            # As the web server does: connections of the last run that still time out do not hold the port.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            candidate.bind(target)
    except socket.gaierror as error:
        raise PortTakenError(f"HOST {host!r} is not a valid address.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"PORT {port} on {host} is already in use; set PORT (or --port) to a free port."
            ) from error
        raise PortTakenError(f"cannot listen on HOST {host}, PORT {port}: {error.strerror}.") from error


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
