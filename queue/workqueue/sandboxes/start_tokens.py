"""Start tokens: which requests of a batch a sandbox may start, and which it has started.

Each byte in a socket is a token. The sandbox takes one before it starts a request, and the worker can revoke the tokens
that are left. The kernel gives each byte to one of the two, so that both sides agree.
"""

import secrets
import socket
import threading

GENERATIONS = 255  # the values of a byte except 0


class StartTokens:
    """The worker's side. parent, child: descriptors of the two ends; the sandbox has the second one too."""

    def __init__(self, parent: int, child: int) -> None:
        self._parent, self._child = socket.socket(fileno=parent), socket.socket(fileno=child)
        self._lock = threading.Lock()  # the lease renewer's thread revokes too, but never after `close`
        self._generation = secrets.randbelow(GENERATIONS)  # random, so as not to repeat the previous worker's
        self._granted = 0  # tokens of this generation that were not revoked

    def grant(self, count: int) -> int:
        """Let the sandbox start `count` of the requests that are sent next; return the generation of their tokens.

        Raises OSError when user code has broken the socket, since no request would ever start.
        """
        self._generation, self._granted = self._generation % GENERATIONS + 1, count
        self._parent.send(bytes([self._generation]) * count, socket.MSG_DONTWAIT)
        return self._generation

    def revoke(self) -> int:
        """Take back the tokens that are left. Return how many requests, the last ones sent, will not start."""
        with self._lock:
            count = self._count_left(0)
            self._granted -= count
            return count

    def has_started(self, index: int) -> bool:
        """Return True if the sandbox has started the request at this index, from 0, of the last batch."""
        with self._lock:
            return index < self._granted - self._count_left(socket.MSG_PEEK)

    def close(self) -> None:
        with self._lock:
            self._parent.close()
            self._child.close()

    def _count_left(self, flag: int) -> int:
        try:
            return len(self._child.recv(GENERATIONS, flag | socket.MSG_DONTWAIT))
        except OSError:
            return 0
