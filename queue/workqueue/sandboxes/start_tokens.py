"""Turns: which of the requests that a sandbox has got may begin, and which have begun.

Each byte in a socket is a turn. The sandbox takes one before it begins a request; what is left in the socket can be
taken back. The kernel gives each byte to one of the two, so both know the same.
"""

import secrets
import socket
import threading

GENERATIONS = 255  # the values of a byte, but for 0


class StartTokens:
    """Our side. ours, theirs: descriptors of the two ends, of which the sandbox has the second one, too."""

    def __init__(self, ours: int, theirs: int) -> None:
        self._ours, self._theirs = socket.socket(fileno=ours), socket.socket(fileno=theirs)
        self._lock = threading.Lock()  # the keeper's thread takes back, too, but not from what is closed
        self._round = secrets.randbelow(GENERATIONS)  # not where the last worker began
        self._given = 0  # in this round, less what was taken back

    def grant(self, count: int) -> int:
        """So many of the requests that it will be sent now may begin; gives the number of their round.

        Raises OSError when user code has broken the socket: nothing would ever begin.
        """
        self._round, self._given = self._round % GENERATIONS + 1, count
        self._ours.send(bytes([self._round]) * count, socket.MSG_DONTWAIT)
        return self._round

    def revoke(self) -> int:
        """How many of the last requests that it has will not begin now; the others have begun, or are over."""
        with self._lock:
            count = self._left(0)
            self._given -= count
            return count

    def has_started(self, place: int) -> bool:
        """Whether the turn was taken of the request that was the place-th, from 0, of those that were sent last."""
        with self._lock:
            return place < self._given - self._left(socket.MSG_PEEK)

    def close(self) -> None:
        with self._lock:
            self._ours.close()
            self._theirs.close()

    def _left(self, flag: int) -> int:
        try:
            return len(self._theirs.recv(GENERATIONS, flag | socket.MSG_DONTWAIT))
        except OSError:
            return 0
