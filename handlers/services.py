"""What the handlers work with; put together once per process by infra."""

from dataclasses import dataclass

from flask import Flask, current_app
from sqlalchemy import Engine

from workqueue.clock import Clock
from workqueue.doorbell import Doorbell
from workqueue.store import FileStore
from workqueue.waiting import Waiting

EXTENSION = "localfn"


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. queues: those that workers serve; a request in another would wait for ever."""

    max_event_bytes: int
    max_upload_bytes: int
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    doorbell: Doorbell
    clock: Clock
    waiting: Waiting
    store: FileStore
    limits: Limits

    def install(self, app: Flask) -> None:
        app.extensions[EXTENSION] = self


def services() -> Services:
    """Those of the application that answers now."""
    found: Services = current_app.extensions[EXTENSION]
    return found
