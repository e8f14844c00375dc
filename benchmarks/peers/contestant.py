"""What a contestant is to the runner."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from benchmarks.peers.processes import Command
from benchmarks.peers.report.rows import Rows

# A bound is no product: it shows what is left when there is nothing but the durable path.
Kind = Literal["ours", "peer", "bound"]


class Contestant(Protocol):
    """One configuration of one product."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def told(self) -> str:
        """How it is configured, for the reader."""

    @property
    def share(self) -> float:
        """Which part of the requests it is given in a drain; 1, but for those that would take hours."""

    def commands(self) -> Sequence[Command]:
        """The processes that work while they run, two workers at least."""

    def rows(self) -> Rows:
        """A new reader of the rows that it writes; the caller closes it."""

    def fill(self, function: str, count: int) -> None:
        """Stores so many requests and puts all into the queue."""

    def latencies_ms(self, function: str, count: int) -> list[float]:
        """So many requests one at a time, while its processes run."""

    @property
    def log(self) -> Path:
        """Where its processes say what goes wrong."""
