"""What the handlers work with; put together once per process by infra."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy import Engine

from handlers.system.readiness import Readiness
from workqueue.auth.authenticator import Doorkeeper
from workqueue.clock import Clock
from workqueue.files.disk_space import Disk
from workqueue.files.store import FileStore
from workqueue.stats.overview import Overview
from workqueue.telemetry.counters import Meter
from workqueue.transport.change_listener import Waiting
from workqueue.transport.doorbell import Doorbell

EXTENSION = "localfn"


class Tracer(Protocol):
    """Tells a collector of traces what this process does. Made only where one is set."""

    def submitted(
        self, request_id: UUID, function: str, traceparent: str | None, began: datetime, ended: datetime
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. queues: those that workers serve; a request in another would wait for ever."""

    max_event_bytes: int
    max_upload_bytes: int
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """doorkeeper: tells who calls; None: nobody has to log in. secure_cookie: sent over TLS only."""

    doorkeeper: Doorkeeper | None = None
    secure_cookie: bool = False

    @property
    def needs_login(self) -> bool:
        return self.doorkeeper is not None

    def forget(self) -> None:
        """A user, a session or a key has changed."""
        if self.doorkeeper is not None:
            self.doorkeeper.forget()


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    doorbell: Doorbell
    clock: Clock
    waiting: Waiting
    store: FileStore
    limits: Limits
    overview: Overview
    readiness: Readiness
    access: Access = field(default_factory=Access)
    disk: Disk | None = None
    tracer: Tracer | None = None
    meter: Meter = field(default_factory=Meter)

    def check_room(self) -> None:
        """Raise DiskFullError while the database's disk on this machine is full: a request would find no room."""
        if self.disk is not None:
            self.disk.check()

    def install(self, app: Flask) -> None:
        app.extensions[EXTENSION] = self


def services() -> Services:
    """Those of the application that answers now."""
    found: Services = current_app.extensions[EXTENSION]
    return found
