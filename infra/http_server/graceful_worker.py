"""Stop a web process so that no call fails.

    SIGUSR2: the stop is announced ──▶ SIGTERM: no new connection ──▶ all calls have ended, or the grace is over

From the announcement on, clients that wait for a result are answered, each response closes its connection, and /readyz
fails, so that a proxy sends its calls elsewhere; those that still arrive are served. SIGTERM alone does both.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from infra.http_server.connection import State
from infra.http_server.gunicorn_worker import REAP_EVERY_S, Worker

ANNOUNCE = signal.SIGUSR2
IDLE_STOP_S = 0.5  # how long a stopping process keeps idle connections: a request may be on its way


class GracefulWorker(Worker):
    """Extend the worker by the announcement of a stop, and by limits for its end."""

    app: Any  # has announce_stop
    is_closing = False  # read by threads, set once

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(ANNOUNCE, lambda *_: self.method_queue.defer(self._begin_closing))
        signal.siginterrupt(ANNOUNCE, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the arbiter too, which sends SIGTERM

    def run(self) -> None:
        super().run()
        if self.nr_conns:
            os._exit(0)  # the grace is over; a usual exit would wait for the threads of these calls

    def _begin_closing(self) -> None:
        self.is_closing = True
        self.app.announce_stop()

    def _cap_keepalive(self, deadline: float) -> None:  # noqa: ARG002 - gunicorn keeps idle connections for two seconds
        """Begin to stop: accept the connections that the kernel has completed already, and then no others.

        Gunicorn calls this method once, after the last event of a listener. It would leave the listeners open until the
        end, and the kernel would reset the connections that it has completed meanwhile.
        """
        self._begin_closing()
        for listener in self.sockets:
            while self._accept_one(listener) and self.nr_conns < self.worker_connections:
                pass
            listener.close()
        self._kept_s = IDLE_STOP_S
        super()._cap_keepalive(time.monotonic() + IDLE_STOP_S)

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Wait for a shorter time once this process stops: idle connections end soon."""
        super().wait_for_and_dispatch_events(timeout if self.alive else REAP_EVERY_S)

    def murder_keepalived(self, force: bool = False) -> None:
        if not (self.alive or force):
            self._close_idle()
        super().murder_keepalived(force)

    def _close_idle(self) -> None:
        """Close cleanly: serve a request that has just arrived, and discard a later one, which a reset would break."""
        now = time.monotonic()
        for conn in self._connections.in_state(State.IDLE):
            if conn.deadline <= now:
                self._on_readable(conn, conn.sock)
                if conn.state is State.IDLE:
                    self._linger(conn)
                    conn.deadline = min(conn.deadline, now + IDLE_STOP_S)

    # In a thread

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = self._with_closing(self.wsgi)

    def _with_closing(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Return a WSGI application whose responses close their connections once the stop is announced."""

        def call(environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def start(*args: Any) -> Any:
                if self.is_closing:
                    environ["gunicorn.socket"].request.force_close()
                return start_response(*args)

            return app(environ, start)

        return call

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.sock.request = req
        return super().handle_request(req, conn)
