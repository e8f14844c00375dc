"""Run one web process: gunicorn's event loop receives heads and small bodies, and sends to slow clients.

    IDLE ──▶ RECEIVING ──head, small body──▶ HELD: queue, thread ──▶ SENDING ──▶ IDLE | LINGERING ──▶ CLOSED

A request gets a thread once its head has arrived, and its body if that is small. It gives the thread back before a slow
client has received the response.
"""

import contextlib
import errno
import selectors
import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from infra.http_server.client_socket import MAX_SEND_STALL_S, with_may_wait
from infra.http_server.connection import MAX_HEAD_S, Connection, ConnectionTable, State, WatchedReader
from infra.http_server.error_responses import BUSY, HEAD_TOO_LARGE
from infra.http_server.malloc_settings import return_freed_memory
from infra.http_server.request_head import MAX_HEAD_BYTES
from infra.http_server.thread_allocation import ALL_THREADS, RequestClass, ThreadAllocator
from workqueue.sandboxes.prctl import die_with_parent

KEPT_S = 30.0  # limit for an idle connection between two requests
LINGER_S = 2.0  # for a client to read its last response before the connection is closed
DRAIN_S = 0.05  # for the unread rest of a body; a longer rest closes the connection
RECEIVE_BYTES = 64 * 1024
REAP_EVERY_S = 0.25
SPARE_CONNECTIONS = 20  # below gunicorn's limit, at which it stops accepting
IDLE_S = 5.0  # wait of a loop without connections; gunicorn kills a process that does not iterate for 30 s
EVICTED_FIRST = (State.LINGERING, State.IDLE, State.RECEIVING)


class Worker(ThreadWorker):
    """Extend gunicorn's worker: classes of requests, limits for slow clients."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._allocator: ThreadAllocator[Connection] = ThreadAllocator()
        self._connections = ConnectionTable()
        self._reaped_at = 0.0
        self._kept_s = KEPT_S

    def init_process(self) -> None:
        die_with_parent(signal.SIGTERM)
        return_freed_memory()
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(ALL_THREADS)

    # The event loop

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Wait longer while there is no connection, and so no deadline."""
        super().wait_for_and_dispatch_events(timeout if self.nr_conns else IDLE_S)

    def accept(self, listener: socket.socket) -> None:
        self._accept_one(listener)

    def _accept_one(self, listener: socket.socket) -> bool:
        """Return True if there was a connection."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # no descriptor is left, perhaps because of another program
                self._evict()
                self.set_accept_enabled(False)  # until the next iteration of the loop
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return False
        self.nr_conns += 1
        conn = Connection(self.cfg, accepted, address, listener.getsockname())
        if self.nr_conns > self.worker_connections - SPARE_CONNECTIONS:
            self._evict()
        self._wait(conn, State.IDLE, self._kept_s)
        self._on_readable(conn, conn.sock)
        return True

    def _wait(self, conn: Connection, state: State, limit_s: float) -> None:
        """Register a connection with the event loop until its next event or its deadline."""
        conn.deadline = time.monotonic() + limit_s
        conn.sock.setblocking(False)
        self._move(conn, state)
        is_sending = state is State.SENDING
        handler = self._on_writable if is_sending else self._on_readable
        events = selectors.EVENT_WRITE if is_sending else selectors.EVENT_READ
        self.poller.register(conn.sock, events, partial(handler, conn))

    def _move(self, conn: Connection, state: State) -> None:
        if conn.state not in (State.HELD, State.CLOSED):
            with contextlib.suppress(KeyError, ValueError):
                self.poller.unregister(conn.sock)
        self._connections.move(conn, state)

    def _on_readable(self, conn: Connection, _: object) -> None:
        if conn.state not in EVICTED_FIRST:  # an earlier event of this iteration closed it
            return
        try:
            receive = conn.sock.discard if conn.state is State.LINGERING else conn.sock.receive_ahead
            received = receive(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = 0
        if not received:
            self._close(conn)
        elif conn.state is not State.LINGERING:
            self._advance(conn)

    def _advance(self, conn: Connection) -> None:
        """Queue the request once enough of it has arrived."""
        if conn.state is State.IDLE:  # these are its first bytes
            self._connections.move(conn, State.RECEIVING)  # still registered for reading
            conn.deadline = time.monotonic() + MAX_HEAD_S
        head, received = conn.read_head(), len(conn.sock.ahead)
        if head is None:
            if received > MAX_HEAD_BYTES:
                self._reject(conn, HEAD_TOO_LARGE)
        elif received >= head.ahead_bytes:
            self._move(conn, State.HELD)
            self._allocator.add(self._allocator.classify(head, received), conn)
            self._start_queued()

    def _start_queued(self) -> None:
        for kind, conn in self._allocator.start():
            conn.kinds = [kind]
            if kind is RequestClass.INCOMING and conn.waits and self._allocator.has_free_thread(RequestClass.WAITING):
                self._count(conn, RequestClass.WAITING)  # it will wait once its body is complete
            conn.sock.may_wait = RequestClass.WAITING in conn.kinds
            conn.sock.on_slow = partial(self.method_queue.defer, self._on_slow_client, conn)
            conn.sock.begin_body()
            self.enqueue_req(conn)

    def _count(self, conn: Connection, kind: RequestClass) -> None:
        self._allocator.count(kind)
        conn.kinds.append(kind)

    def _uncount(self, conn: Connection, kind: RequestClass) -> None:
        if kind in conn.kinds:
            self._allocator.end(kind)
            conn.kinds.remove(kind)

    def finish_request(self, conn: Any, fs: "Future[bool]") -> None:
        """Continue with a connection that a thread has finished."""
        for kind in tuple(conn.kinds):
            self._uncount(conn, kind)
        failed = fs.cancelled() or fs.exception() is not None
        conn.keep_alive = not failed and fs.result()
        if failed or conn.sock.was_too_slow:
            self._close(conn)
        else:
            conn.expect_request()
            self._send(conn)
        self._start_queued()

    def _on_body_arrival(self, conn: Connection) -> None:
        """Free the INCOMING slot once the body has arrived."""
        self._uncount(conn, RequestClass.INCOMING)
        if not conn.kinds:
            self._count(conn, RequestClass.SLOW)
        self._start_queued()

    def _on_slow_client(self, conn: Connection) -> None:
        """Free the READY slot while the client receives a large response; disconnect if too many clients are slow."""
        if RequestClass.READY in conn.kinds:
            self._uncount(conn, RequestClass.READY)
            if not self._allocator.has_free_thread(RequestClass.SLOW):
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)
            self._count(conn, RequestClass.SLOW)
            self._start_queued()

    def _reject(self, conn: Connection, answer: bytes) -> None:
        conn.keep_alive = False
        conn.sock.sendall(answer)
        self._send(conn)

    def _on_writable(self, conn: Connection, _: object) -> None:
        if conn.state is State.SENDING:
            self._send(conn)

    def _send(self, conn: Connection) -> None:
        """Send what the client receives now; after the last byte, wait for the next request."""
        try:
            sent = conn.sock.outgoing.send(conn.sock)
        except OSError:
            self._close(conn)
            return
        if conn.sock.outgoing.size:
            if conn.state is not State.SENDING:
                self._wait(conn, State.SENDING, MAX_SEND_STALL_S)
            elif sent:
                conn.deadline = time.monotonic() + MAX_SEND_STALL_S
        elif conn.keep_alive:
            self._wait(conn, State.IDLE, self._kept_s)
            if conn.sock.ahead:
                self._advance(conn)
        else:
            self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Close a connection after the client has read the response: an immediate close would discard unread bytes."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            self._wait(conn, State.LINGERING, LINGER_S)

    def _close(self, conn: Connection) -> None:
        if conn.state is not State.CLOSED:
            self._move(conn, State.CLOSED)
            self.nr_conns -= 1
            conn.sock.close()

    def _evict(self) -> None:
        """Close the connection that has waited longest, for a new one."""
        conn = self._connections.oldest(EVICTED_FIRST)
        if conn is not None:
            self._close(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections past their deadline, or all if force. Gunicorn calls it at each iteration."""
        now = time.monotonic()
        if not force and now < self._reaped_at + REAP_EVERY_S:
            return
        self._reaped_at = now
        for conn in self._allocator.expire():
            self._reject(conn, BUSY)
        for state in (*EVICTED_FIRST, State.SENDING):
            for conn in self._connections.in_state(state):
                if force or conn.deadline <= now:
                    self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Shorten the deadline of idle connections: this process stops."""
        for conn in self._connections.in_state(State.IDLE):
            conn.deadline = min(conn.deadline, deadline)

    # In a thread

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = with_may_wait(self.wsgi)

    def handle_request(self, req: Any, conn: Any) -> Any:
        if RequestClass.INCOMING in conn.kinds:
            arrived = partial(self.method_queue.defer, self._on_body_arrival, conn)
            req.body.reader = WatchedReader(req.body.reader, arrived)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_S))
