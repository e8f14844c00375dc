"""Define the interface of an embedded service for the supervisor and for tests."""

import re
import signal
from collections.abc import Sequence
from typing import Protocol

from infra.supervisor.child import ChildSpec


class Service(Protocol):
    """Describe a server program that runs in the foreground."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str:
        """Return the URL for clients, including the password. Available after the first `prepare`."""

    @property
    def stop_steps(self) -> Sequence[tuple[signal.Signals, float]]:
        """Return the signals to send in order, each with a timeout in seconds; SIGKILL follows the last."""

    @property
    def noise(self) -> re.Pattern[bytes]:
        """Return a pattern of routine start and stop messages, which are not passed on."""

    def prepare(self) -> None:
        """Create the data, and end leftovers of a killed run. Called before every start. Raises InfraError."""

    def end_leftovers(self) -> None:
        """End the servers of this home that a killed run left behind."""

    def command(self) -> list[str]: ...

    def is_ready(self) -> bool:
        """Return True if the server answers a request in its own protocol."""


def service_spec(service: Service) -> ChildSpec:
    return ChildSpec(
        name=service.name,
        command=service.command,
        prepare=service.prepare,
        is_ready=service.is_ready,
        stop_steps=service.stop_steps,
        noise=service.noise,
    )
