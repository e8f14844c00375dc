"""The line between `localfn up` and a process that it starts: variables go down, one word comes up.

The environment that a process is started with can be read in /proc for as long as it lives, and `ps e` shows it. So
passwords and addresses go through a socket; the environment holds only what a program reads at its very start.
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
READ_AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "LANG", "MALLOC_", "GLIBC_")
PLAIN = frozenset({"PATH", "HOME", "TZ", "TMPDIR", "TEMP", "TMP", "TERM", "NO_COLOR"})


class CutOffError(InfraError):
    """`up` ended before it had handed everything over."""


def started_with(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that interpreter, linker and C library read at their start; none holds a secret."""
    return {name: value for name, value in environ.items() if name in PLAIN or name.startswith(READ_AT_START)}


class ControlSocket:
    """The end of `up`. variables: the whole environment of the process."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)
        self._ours, self._theirs = socket.socketpair()
        self._is_ready = False

    @property
    def fd(self) -> int:
        """Return the descriptor that the process inherits."""
        return self._theirs.fileno()

    def hand_over(self) -> None:
        """Send the variables. Called once the process is on record: without a record it gets nothing, and ends.

        In a thread, as a process that is frozen at its start takes nothing.
        """
        self._theirs.close()
        threading.Thread(target=self._send, daemon=True).start()

    def is_ready(self) -> bool:
        """Return whether the process has said that it is."""
        if not self._is_ready:
            with contextlib.suppress(OSError):
                self._is_ready = self._ours.recv(len(READY), socket.MSG_DONTWAIT) == READY
        return self._is_ready

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # the process has ended; the supervisor sees that
            self._ours.sendall(json.dumps(self._variables).encode())
            self._ours.shutdown(socket.SHUT_WR)


class Attached:
    """The end of a process that `up` started."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def tell_ready(self) -> None:
        with contextlib.suppress(OSError):  # `up` is gone
            self._line.sendall(READY)


def attach() -> Attached | None:
    """Take the variables over into the environment; None in a process that was started alone. Raises CutOffError."""
    number = os.environ.pop(VARIABLE, None)
    if number is None:
        return None
    try:
        line = socket.socket(fileno=int(number))
        line.set_inheritable(False)
        with line.makefile("rb") as sent:
            os.environ.update(json.loads(sent.read()))
    except (OSError, ValueError):
        raise CutOffError("`localfn up` ended before it had handed the settings over.") from None
    return Attached(line)
