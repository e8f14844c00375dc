"""Define the interface between the runner and a contestant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from benchmarks.peers.processes import Command
from benchmarks.peers.report.rows import Rows

# A bound is not a product: it shows the cost of the durable path alone.
Kind = Literal["ours", "peer", "bound"]


class Contestant(Protocol):
    """Describe one configuration of one product."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def description(self) -> str:
        """Return the configuration as text for the report."""

    @property
    def share(self) -> float:
        """Return the share of the requests in a drain: 1, less for contestants that would take hours."""

    def commands(self) -> Sequence[Command]:
        """Return the commands of its worker processes, two at least."""

    def rows(self) -> Rows:
        """Return a new reader of the rows that it writes; the caller closes it."""

    def fill(self, function: str, count: int) -> None:
        """Store `count` requests and enqueue them."""

    def latencies_ms(self, function: str, count: int) -> list[float]:
        """Send `count` requests one at a time to its running processes; return their latencies."""

    @property
    def log(self) -> Path:
        """Return the file with the output of its processes."""
