"""The objects that handlers use. infra creates them once per process."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy import Engine

from handlers.system.readiness import Readiness
from workqueue.auth.authenticator import Authenticator
from workqueue.clock import Clock
from workqueue.files.disk_space import Disk
from workqueue.files.store import FileStore
from workqueue.functions.function_cache import FunctionFinder
from workqueue.stats.overview import Overview
from workqueue.submit import Submitter
from workqueue.telemetry.counters import Counters
from workqueue.transport.change_listener import ChangeListener
from workqueue.transport.doorbell import Doorbell

EXTENSION = "localfn"


class Tracer(Protocol):
    """Send traces to a collector. It exists only where a collector is configured."""

    def submitted(
        self, request_id: UUID, function: str, traceparent: str | None, began: datetime, ended: datetime
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. queues: those that workers serve; a request in another queue would wait forever."""

    max_event_bytes: int
    max_upload_bytes: int
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """authenticator: None if the installation has no login. secure_cookie: send the session cookie over TLS only."""

    authenticator: Authenticator | None = None
    secure_cookie: bool = False

    @property
    def needs_login(self) -> bool:
        return self.authenticator is not None

    def invalidate_cache(self) -> None:
        """Forget cached principals after a change of a user, a session or an API key."""
        if self.authenticator is not None:
            self.authenticator.clear_cache()


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    doorbell: Doorbell
    clock: Clock
    changes: ChangeListener
    functions: FunctionFinder
    submitter: Submitter
    store: FileStore
    limits: Limits
    overview: Overview
    readiness: Readiness
    access: Access = field(default_factory=Access)
    disk: Disk | None = None
    tracer: Tracer | None = None
    counters: Counters = field(default_factory=Counters)

    def check_disk_space(self) -> None:
        """Raise DiskFullError while the disk of a database on this machine is full: no request could be stored."""
        if self.disk is not None:
            self.disk.check()

    def announce_stop(self) -> None:
        """Answer waiting clients now, and report that this process is not ready: it stops."""
        self.readiness.announce_stop()
        self.changes.close()

    def install(self, app: Flask) -> None:
        app.extensions[EXTENSION] = self


def get_services() -> Services:
    """Return the services of the current application."""
    services: Services = current_app.extensions[EXTENSION]
    return services
