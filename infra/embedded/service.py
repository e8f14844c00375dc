"""What an embedded service is to whoever runs it: the supervisor, the tests."""

import re
import signal
from collections.abc import Sequence
from typing import Protocol


class Service(Protocol):
    """A server program that runs in the foreground."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str:
        """For clients; holds the password, if there is one. Known after the first `prepare`."""

    @property
    def stop_steps(self) -> Sequence[tuple[signal.Signals, float]]:
        """Signals, gentle ones first, each with the seconds it is given; SIGKILL follows the last."""

    @property
    def noise(self) -> re.Pattern[bytes]:
        """What it says whenever it starts or stops: no news to whoever started it."""

    def prepare(self) -> None:
        """Make the data and end leftovers of a killed run. Before every start. Raises InfraError."""

    def end_leftovers(self) -> None:
        """End the servers of this home that a killed run left."""

    def command(self) -> list[str]: ...

    def is_ready(self) -> bool:
        """Asked through the service's real protocol."""
