"""The protocol between a worker and the sandbox pool: one JSON line each way, with file descriptors."""

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

MAX_LINE = 16 * 1024 * 1024  # three times the head of a frame, whose characters may all be escaped
MAX_FDS = 5
ANSWER_S = 15.0  # a pool that does not answer within this time counts as lost


Load = tuple[dict[str, Any], Mapping[str, str]]  # the function to load, and its environment variables


class SandboxPoolClient:
    """A worker's end of the socket. Raises SandboxPoolLostError when the pool is gone.

    The client retains the sandbox that was used last for the next request of a batch, until `release`.
    """

    def __init__(self, pool_socket: socket.socket, max_body: int) -> None:
        self._socket = pool_socket
        self._socket.settimeout(ANSWER_S)
        self._max_body = max_body
        self._retained: SandboxConnection | None = None
        self._load: Load | None = None  # of the retained or the leased sandbox
        self.pool_is_lost = False

    def acquire(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxConnection:
        """Lease a sandbox for this function, a warm one if possible. Raises OSError when none can be started."""
        wanted = load, environment
        if (sandbox := self._retained) is not None:
            if wanted == self._load and sandbox.discard_idle_output() and _is_reusable(sandbox):
                self._retained = None
                return sandbox
            self.release()
        self._load = wanted
        self._send({"do": "acquire", "load": load, "environment": dict(environment)})
        answer, fds = self._receive()
        if "error" in answer:
            raise OSError(answer["error"])
        sandbox = SandboxConnection(SandboxLease(**answer), fds, self._max_body)
        if sandbox.ready is not None:
            sandbox.discard_idle_output()  # printed between two requests
        return sandbox

    def retain(self, sandbox: SandboxConnection) -> None:
        """Keep a sandbox for the next request of the batch, or release it if its request left processes behind."""
        self._retained = sandbox
        if sandbox.has_leftovers:
            self.release()

    def release(self) -> None:
        """Return the retained sandbox to the pool."""
        sandbox, self._retained = self._retained, None
        if sandbox is not None:
            sandbox.close()
            self._send({"do": "release", "id": sandbox.id, "ready": sandbox.ready})

    def end(self, sandbox: SandboxConnection) -> int:
        """Kill the sandbox and return its exit status, negative for a signal."""
        sandbox.kill()
        self._send({"do": "end", "id": sandbox.id})
        return int(self._receive()[0]["status"])

    def _send(self, message: dict[str, Any]) -> None:
        if self.pool_is_lost:  # a late answer would be taken for the answer to this message
            raise SandboxPoolLostError
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.pool_is_lost = True
            raise SandboxPoolLostError from None

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        data, fds = b"", list[int]()
        while not data.endswith(b"\n"):
            try:
                more, new, _, _ = socket.recv_fds(self._socket, 262_144, MAX_FDS)
            except OSError:
                more = b""
            if not more:
                self.pool_is_lost = True
                raise SandboxPoolLostError
            data += more
            fds += new
        return json.loads(data), fds


def _is_reusable(sandbox: SandboxConnection) -> bool:
    """Return True if another request may use the sandbox, as the pool does (SandboxProcess.is_reusable)."""
    ready = sandbox.ready
    return ready is not None and process_tree.is_idle(sandbox.pid) and are_unchanged(ready.get("files"))


class PoolConnection:
    """The pool's end of the socket to one worker."""

    def __init__(self, worker: str, worker_socket: socket.socket, pool: SandboxPool) -> None:
        self.worker = worker
        self.socket = worker_socket
        self.pool = pool
        self._data = b""

    def serve(self) -> bool:
        """Answer the messages that have arrived. Return False when the worker has disconnected; then call `close`."""
        try:
            more = self.socket.recv(262_144)
        except OSError:
            more = b""
        if not more or len(self._data) > MAX_LINE:
            return False
        *messages, self._data = (self._data + more).split(b"\n")
        for message in messages:
            self._answer(json.loads(message))
        return True

    def close(self) -> None:
        """End the leases of the worker, and close the socket."""
        self.pool.end_leases_of(self.worker)
        self.socket.close()

    def _answer(self, message: dict[str, Any]) -> None:
        if message["do"] == "acquire":
            try:
                sandbox = self.pool.acquire(self.worker, message["load"], message["environment"])
            except (OSError, ValueError) as error:  # no interpreter, no memory, a bad environment
                self._send({"error": str(error)})
                return
            self._send(asdict(sandbox.lease()), sandbox.parent_fds)
        elif message["do"] == "release":
            self.pool.release(self.worker, message["id"], message["ready"])
        else:
            self._send({"status": self.pool.end(self.worker, message["id"])})

    def _send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # the worker disconnected: the next call of `serve` handles that
            socket.send_fds(self.socket, [json.dumps(message).encode() + b"\n"], fds)
