"""The line between a worker and the sandbox host: one JSON line each way, file descriptors beside it."""

import contextlib
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from workqueue.errors import SandboxPoolLostError
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.connection import SandboxConnection
from workqueue.sandboxes.pool import SandboxPool
from workqueue.sandboxes.process import SandboxLease, are_unchanged

MAX_LINE = 16 * 1024 * 1024  # thrice a frame's head, which it passes on with all characters escaped
FDS = 5
ANSWER_S = 15.0  # a host that does not answer for so long counts as gone


Wanted = tuple[dict[str, Any], Mapping[str, str]]  # what to load, and further environment variables


class SandboxPoolClient:
    """A worker's end of the line. Raises SandboxPoolLostError when the host is gone, OSError when it has none.

    What was used last stays in hand, for the next of a group, until it is put away.
    """

    def __init__(self, line: socket.socket, max_body: int) -> None:
        self._line = line
        self._line.settimeout(ANSWER_S)
        self._max_body = max_body
        self._in_hand: SandboxConnection | None = None
        self._wanted: Wanted | None = None  # what that, or the one that is lent now, has imported
        self.pool_is_lost = False

    def acquire(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxConnection:
        """A sandbox for this function, warm if there is one."""
        wanted = load, environment
        if (sandbox := self._in_hand) is not None:
            if wanted == self._wanted and sandbox.discard_idle_output() and _is_fresh(sandbox):
                self._in_hand = None
                return sandbox
            self.release()
        self._wanted = wanted
        self._send({"do": "acquire", "load": load, "environment": dict(environment)})
        answer, fds = self._receive()
        if "error" in answer:
            raise OSError(answer["error"])
        sandbox = SandboxConnection(SandboxLease(**answer), fds, self._max_body)
        if sandbox.ready is not None:
            sandbox.discard_idle_output()  # what was printed meanwhile is nobody's
        return sandbox

    def retain(self, sandbox: SandboxConnection) -> None:
        """It is free. It stays in hand if it can serve another request of the group."""
        self._in_hand = sandbox
        if sandbox.has_leftovers:
            self.release()

    def release(self) -> None:
        """Gives what is in hand back to the host."""
        sandbox, self._in_hand = self._in_hand, None
        if sandbox is not None:
            sandbox.close()
            self._send({"do": "take_back", "id": sandbox.id, "ready": sandbox.ready})

    def end(self, sandbox: SandboxConnection) -> int:
        """Kills the sandbox and gives its exit status, negative for a signal."""
        sandbox.kill()
        self._send({"do": "end", "id": sandbox.id})
        return int(self._receive()[0]["status"])

    def _send(self, message: dict[str, Any]) -> None:
        if self.pool_is_lost:  # what it says now would be the answer to something else
            raise SandboxPoolLostError
        try:
            self._line.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.pool_is_lost = True
            raise SandboxPoolLostError from None

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        data, fds = b"", list[int]()
        while not data.endswith(b"\n"):
            try:
                more, new, _, _ = socket.recv_fds(self._line, 262_144, FDS)
            except OSError:
                more = b""
            if not more:
                self.pool_is_lost = True
                raise SandboxPoolLostError
            data += more
            fds += new
        return json.loads(data), fds


def _is_fresh(sandbox: SandboxConnection) -> bool:
    """Whether another request may have it, as a host asks before it lends one (Child.is_fresh)."""
    ready = sandbox.ready
    return ready is not None and process_tree.is_idle(sandbox.pid) and are_unchanged(ready.get("files"))


class PoolConnection:
    """The host's end of the line to one worker."""

    def __init__(self, name: str, line: socket.socket, host: SandboxPool) -> None:
        self.name = name
        self.line = line
        self.pool = host
        self._data = b""

    def serve(self) -> bool:
        """Answers what has arrived; False when the worker hung up: it is to be closed then."""
        try:
            more = self.line.recv(262_144)
        except OSError:
            more = b""
        if not more or len(self._data) > MAX_LINE:
            return False
        *messages, self._data = (self._data + more).split(b"\n")
        for message in messages:
            self._answer(json.loads(message))
        return True

    def close(self) -> None:
        self.pool.end_leases_of(self.name)
        self.line.close()

    def _answer(self, message: dict[str, Any]) -> None:
        if message["do"] == "acquire":
            try:
                child = self.pool.acquire(self.name, message["load"], message["environment"])
            except (OSError, ValueError) as error:  # no interpreter, no memory, a bad environment
                self._send({"error": str(error)})
                return
            self._send(asdict(child.lease()), child.parent_fds)
        elif message["do"] == "take_back":
            self.pool.release(self.name, message["id"], message["ready"])
        else:
            self._send({"status": self.pool.end(self.name, message["id"])})

    def _send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # it hung up meanwhile: the next call to serve sees that
            socket.send_fds(self.line, [json.dumps(message).encode() + b"\n"], fds)
