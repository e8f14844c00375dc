"""Connect `localfn up` with its children: the environment goes to the child, one word comes back.

The environment of a process is readable in /proc for its whole life, and `ps e` shows it. So URLs and passwords go
through a socket; the environment contains only what a program reads at its start. With it goes the socket on which web
listens: it stays open in `up` while web starts again.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Mapping

from infra.errors import InfraError

VARIABLE = "LOCALFN_LINE"  # the number of the descriptor
READY = b"ready\n"
STARTUP_PREFIXES = ("PYTHON", "LD_", "DYLD_", "LC_", "LANG", "MALLOC_", "GLIBC_")
STARTUP_NAMES = frozenset({"PATH", "HOME", "TZ", "TMPDIR", "TEMP", "TMP", "TERM", "NO_COLOR"})


class HandOverError(InfraError):
    """`up` ended before it had sent the settings."""


def startup_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that interpreter, linker and C library read at their start; none contains a secret."""
    return {
        name: value for name, value in environ.items() if name in STARTUP_NAMES or name.startswith(STARTUP_PREFIXES)
    }


class ControlSocket:
    """Hold the end of `up`.

    variables: the whole environment of the process. listener: a socket that the process gets a descriptor of.
    """

    def __init__(self, variables: Mapping[str, str], listener: socket.socket | None = None) -> None:
        self._variables = dict(variables)
        self._listener = listener
        self._parent_end, self._child_end = socket.socketpair()
        self._is_ready = False

    @property
    def fd(self) -> int:
        """Return the descriptor that the process inherits."""
        return self._child_end.fileno()

    def hand_over(self) -> None:
        """Send the variables, once the process is on record: a process without a record gets nothing, and ends.

        A thread sends them, since a frozen process receives nothing.
        """
        self._child_end.close()
        threading.Thread(target=self._send, daemon=True).start()

    def is_ready(self) -> bool:
        """Return True if the process has reported that it is ready."""
        if not self._is_ready:
            with contextlib.suppress(OSError):
                self._is_ready = self._parent_end.recv(len(READY), socket.MSG_DONTWAIT) == READY
        return self._is_ready

    def close(self) -> None:
        self._parent_end.close()
        self._child_end.close()

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # the process has ended; the supervisor detects that
            data = json.dumps(self._variables).encode()
            socket.send_fds(self._parent_end, [data[:1]], [] if self._listener is None else [self._listener.fileno()])
            self._parent_end.sendall(data[1:])
            self._parent_end.shutdown(socket.SHUT_WR)


class ParentConnection:
    """Hold the end of a process that `up` started. listener: a descriptor of the socket that it serves, for web."""

    def __init__(self, connection: socket.socket, listener: int | None) -> None:
        self._connection = connection
        self.listener = listener

    def report_ready(self) -> None:
        with contextlib.suppress(OSError):  # `up` has ended
            self._connection.sendall(READY)


def receive_settings() -> ParentConnection | None:
    """Receive the environment from `up`; return None in a process that was started alone. Raises HandOverError."""
    number = os.environ.pop(VARIABLE, None)
    if number is None:
        return None
    try:
        connection = socket.socket(fileno=int(number))
        connection.set_inheritable(False)
        start, fds, _, _ = socket.recv_fds(connection, 1, 1)
        for fd in fds:
            os.set_inheritable(fd, False)
        with connection.makefile("rb") as sent:
            os.environ.update(json.loads(start + sent.read()))
    except (OSError, ValueError):
        raise HandOverError("`localfn up` ended before it had sent the settings; start it again.") from None
    return ParentConnection(connection, fds[0] if fds else None)
