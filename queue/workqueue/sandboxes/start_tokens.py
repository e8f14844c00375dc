"""Start tokens: which of the requests that were sent to a sandbox it may start, and which it has started.

Each byte in a socket is a token. The sandbox takes one before it starts a request, and the worker can revoke the tokens
that are left. The kernel gives each byte to one of the two, so that both sides agree.
"""

import secrets
import socket

GENERATIONS = 255  # the values of a byte except 0


class StartTokens:
    """The worker's side. parent, child: the two ends; the sandbox has the second one too."""

    def __init__(self, parent: socket.socket, child: socket.socket) -> None:
        self._parent, self._child = parent, child
        self._generation = secrets.randbelow(GENERATIONS)

    def grant(self, count: int) -> int:
        """Let the sandbox start `count` of the requests that are sent next; return the generation of their tokens.

        Raises OSError when user code has broken the socket, since no request would ever start.
        """
        self._generation = self._generation % GENERATIONS + 1
        self._parent.send(bytes([self._generation]) * count, socket.MSG_DONTWAIT)
        return self._generation

    def revoke(self) -> int:
        """Take back the tokens that are left. Return how many requests, the last ones sent, will not start."""
        return self._count_left(0)

    def count_unstarted(self) -> int:
        """Return how many of the requests that were sent the sandbox has not started: the last ones."""
        return self._count_left(socket.MSG_PEEK)

    def _count_left(self, flag: int) -> int:
        try:
            return len(self._child.recv(GENERATIONS, flag | socket.MSG_DONTWAIT))
        except OSError:
            return 0
