"""Run `localfn web`: gunicorn with few processes and many threads, most of which wait."""

import gc
import logging
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gunicorn.arbiter
import gunicorn.glogging
from flask import Flask
from gunicorn.app.base import BaseApplication

from infra import logging_config, spa_assets
from infra.config import base_urls, capacity
from infra.config.capacity import cores
from infra.config.listen_address import http_url, listen
from infra.config.settings import Settings
from infra.database.checks import check_database
from infra.disk_reserve import disk_of, has_database
from infra.http_server.client_socket import defer_accept
from infra.http_server.graceful_worker import ANNOUNCE, GracefulWorker
from infra.http_server.thread_allocation import ALL_THREADS
from infra.processes import web_telemetry
from infra.processes.connections import redis_client, required_urls
from workqueue.heartbeats.liveness import Liveness

MAX_PROCESSES = 4
MAX_CONNECTIONS = 1000  # per process
MAX_TURN_S = 60.0  # of the arbiter's loop, which ends web processes that hang
# A proxy may send further requests to a process that stops for this long: three checks of /readyz, one a second.
NOTICE_S = 3
# Between two looks at the web processes. One that hangs is killed after gunicorn's timeout of 30 s, and this at most.
ARBITER_S = 5.0
UNPROTECTED_WARNING = "LOCALFN_INSECURE=1: anyone who reaches this port can run code here without a login"

if TYPE_CHECKING:  # imported where it is created, to keep the command line fast
    from handlers.services import Services

log = logging.getLogger(__name__)


class Logger(gunicorn.glogging.Logger):
    """Send gunicorn's log lines through the root logger, in the runtime's format."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002 - gunicorn would configure its own handlers
        for logger in (self.error_log, self.access_log):
            logger.handlers, logger.propagate = [], True
            logger.setLevel(logging.WARNING)


class Arbiter(gunicorn.arbiter.Arbiter):
    """Supervise the web processes. A signal wakes it at once, also that of an ended process."""

    app: "Server"

    def __init__(self, server: "Server", run_folder: Path) -> None:
        super().__init__(server)
        self._run_folder = run_folder
        self._liveness: Liveness | None = None

    def start(self) -> None:
        """Listen."""
        super().start()
        self._liveness = Liveness(self._run_folder, "web", MAX_TURN_S)

    def handle_term(self) -> None:
        """Announce the stop, and begin it when proxies know of it."""
        if self.app.notice_s:
            self.kill_workers(ANNOUNCE)
            self._wait_for_another_signal(self.app.notice_s)
        super().handle_term()

    def handle_int(self) -> None:
        """Stop as after SIGTERM. A second Ctrl-C ends the calls under way."""
        self.handle_term()

    def _wait_for_another_signal(self, limit_s: float) -> None:
        """Wait for a signal that asks to stop at once, and leave it to gunicorn."""
        ends_at = time.monotonic() + limit_s
        while (remaining_s := ends_at - time.monotonic()) > 0:
            for number in super().wait_for_signals(remaining_s):
                if number in (signal.SIGINT, signal.SIGQUIT):
                    self.SIG_QUEUE.put(number)
                    return

    def wait_for_signals(self, timeout: float | None = None) -> list[Any]:  # noqa: ARG002 - gunicorn waits for a second
        """Wait for signals. After a timeout gunicorn looks for a process that hangs."""
        if self._liveness is not None:
            self._liveness.record()
        return super().wait_for_signals(ARBITER_S)

    def halt(self, *args: Any, **options: Any) -> None:
        """Stop all web processes and exit."""
        if self._liveness is not None:
            self._liveness.close()
        super().halt(*args, **options)


class Server(BaseApplication):
    """Configure gunicorn by the settings alone: it reads no file, no command line and no variable.

    listener: the descriptor of a bound socket, which stays open when this process ends; None: bind one here.
    """

    def __init__(self, settings: Settings, make_app: Callable[[Settings], Flask], listener: int | None = None) -> None:
        self._settings, self._make_app, self._listener = settings, make_app, listener
        # Connections to an inherited socket wait for the next process, so no proxy needs to know.
        has_proxy = settings.network_access.proxies > 0 and listener is None
        self.notice_s = min(NOTICE_S, settings.web_grace_s // 2) if has_proxy else 0
        super().__init__()

    def run(self) -> None:
        """Serve until SIGTERM."""
        Arbiter(self, self._settings.home / "run").run()

    def load_config(self) -> None:
        host, port = self._settings.host, self._settings.port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        config: dict[str, Any] = {
            "bind": address if self._listener is None else f"fd://{self._listener}",
            "worker_class": GracefulWorker,
            "when_ready": self._on_ready,
            "pre_fork": web_telemetry.choose_slot,
            "post_fork": self._use_slot,
            "workers": process_count(cores()),
            "preload_app": True,  # loaded once and shared by all processes
            "threads": ALL_THREADS,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # LOCALFN_TRUSTED_PROXIES alone decides which proxies are trusted
            "graceful_timeout": self._settings.web_grace_s - self.notice_s,
            "worker_connections": MAX_CONNECTIONS,
            "logger_class": Logger,
        }
        for name, value in config.items():
            self.cfg.set(name, value)

    def _on_ready(self, arbiter: Any) -> None:
        defer_accept(arbiter)
        log.info("listening", extra={"url": http_url(self._settings.host, self._settings.port)})

    def _use_slot(self, arbiter: Any, worker: Any) -> None:  # noqa: ARG002 - Gunicorn's signature
        from handlers.http import request_metrics

        calls: request_metrics.RequestMetrics | None = self._app.extensions.get(request_metrics.EXTENSION)
        if calls is not None:  # `localfn dashboard` counts no calls
            calls.use_slot(worker.slot % request_metrics.SLOTS)

    def announce_stop(self) -> None:
        """Answer waiting clients, and fail the check of readiness. Called in each web process, at least once."""
        from handlers.services import EXTENSION

        if EXTENSION in self._app.extensions:  # not in `localfn dashboard`
            self._app.extensions[EXTENSION].announce_stop()

    def load(self) -> Callable[..., Iterable[bytes]]:
        """Load the application before the fork: without threads or open connections."""
        app = self._app = self._make_app(self._settings)
        gc.collect()
        gc.freeze()  # objects stay shared between processes: later collections do not touch them
        return app


def process_count(cores: int) -> int:
    """Return the number of web processes. Each uses one core; workers and sandboxes need cores, too."""
    return max(1, min(cores, MAX_PROCESSES))


def run(settings: Settings, listener: int | None = None) -> None:
    """Serve until SIGTERM. listener: the descriptor of a bound socket, which `localfn up` holds."""
    logging_config.configure(settings.log_level, settings.log_format, "web")
    settings.network_access.check(settings.host)
    if settings.network_access.is_unprotected(settings.host):
        log.warning(UNPROTECTED_WARNING, extra={"host": settings.host, "port": settings.port})
    server = Server(settings, make_app, listener)
    if listener is not None:
        listen(listener, settings.host, settings.port)
    server.run()


def make_app(settings: Settings) -> Flask:
    """Create the application with its services."""
    from handlers.app import create_app
    from handlers.spa.static_files import SpaConfig
    from infra.processes import wsgi_protection
    from workqueue.heartbeats.session_names import Process

    services = _services(settings)
    check_database(required_urls(settings)[0], {Process.WEB: 1})
    services.clock.synchronise(services.engine)
    services.engine.dispose()  # each process opens its own connections
    spa = SpaConfig(
        folder=settings.home / spa_assets.FOLDER / spa_assets.CURRENT,
        path=base_urls.path(settings.static_root),
        static_origin=base_urls.origin(settings.static_root),
        api_origin=base_urls.origin(settings.api_root),
    )
    network = settings.network_access
    origin_check = wsgi_protection.make_origin_check(network, settings.host, production=settings.is_production)
    app = create_app(services, required_urls(settings)[1], spa, origin_check)
    return wsgi_protection.prepare_for_network(app, network.proxies)


def _services(settings: Settings) -> "Services":
    from handlers.services import Access, Limits, Services
    from handlers.system.readiness import Readiness
    from infra.processes.web_telemetry import LazyTracer
    from schema.engine import make_engine
    from workqueue.auth.authenticator import Authenticator
    from workqueue.clock import Clock
    from workqueue.files.store_watch import StoreWatch
    from workqueue.functions.function_cache import FunctionFinder
    from workqueue.heartbeats.session_names import Process, session_name
    from workqueue.stats.overview import Overview
    from workqueue.submit import Submitter
    from workqueue.transport.change_listener import ChangeListener
    from workqueue.transport.doorbell import Doorbell
    from workqueue.transport.queue_pauses import QueuePauses

    database_url, redis_url = required_urls(settings)
    name = session_name(Process.WEB)  # one for all web processes: they are forked later
    connections = capacity.WEB_CONNECTIONS // process_count(cores()) - capacity.WEB_CONNECTIONS_BESIDE_POOL
    kept = connections // 4
    engine = make_engine(database_url, pool_size=kept, max_overflow=connections - kept, application_name=name)
    readiness_engine = make_engine(database_url, pool_size=1, max_overflow=0, application_name=name)
    doorbell, clock = Doorbell(redis_client(redis_url), QueuePauses(engine).names), Clock()
    disk = disk_of(settings)
    store = settings.make_store(disk)
    store_watch = StoreWatch(store, clock.now)
    authenticator = Authenticator(engine, clock.now) if settings.network_access.needs_login else None
    return Services(
        engine=engine,
        doorbell=doorbell,
        clock=clock,
        changes=ChangeListener(redis_client(redis_url)),
        functions=FunctionFinder(engine),
        submitter=Submitter(engine, doorbell, clock),
        store=store,
        limits=Limits(settings.max_event_bytes, settings.max_upload_bytes, settings.queues),
        readiness=Readiness(readiness_engine, doorbell, clock),
        overview=Overview(
            engine, doorbell, clock, settings.queues, settings.retention_days, disk=disk, store_watch=store_watch
        ),
        disk=disk if has_database(settings) else None,
        access=Access(authenticator, secure_cookie=settings.is_production),
        tracer=LazyTracer() if settings.traces else None,
    )
