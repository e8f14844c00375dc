"""Hold the figures of a run, and compute medians and ratios."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

RATE = "rate"  # requests a second
# Of a drain: processor time of the contestant and of the servers in µs a request, memory (PSS) in MB, connections.
CPU, SERVERS_CPU, MEMORY, CONNECTIONS = "cpu_us", "servers_cpu_us", "memory_mb", "connections"
PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}  # milliseconds
CaseName = Literal["noop", "nap", "long_nap", "say", "idle"]

Figures = dict[str, float]  # of one pass, by metric: RATE and others of a drain, PERCENTILES of the idle case


@dataclass(frozen=True, slots=True)
class Case:
    """Describe a case: a drain empties a full queue, the idle case sends one request at a time.

    function: name of the function that its requests run. share: of the requests of a drain; long ones need fewer.
    """

    name: CaseName
    title: str
    function: str
    is_drain: bool
    share: float = 1.0

    @property
    def metric(self) -> str:
        """Return the metric that ranks the contestants."""
        return RATE if self.is_drain else "p50"


CASES = (
    Case("noop", "Drain of no-ops, requests a second", "noop", is_drain=True),
    Case("nap", "Drain of functions that sleep 1 ms, requests a second", "nap", is_drain=True),
    Case("long_nap", "Drain of functions that sleep 10 ms, requests a second", "long_nap", is_drain=True, share=0.4),
    Case("say", "Drain of functions that print three lines, requests a second", "say", is_drain=True),
    Case(
        "idle",
        "A single request at idle, from before its row is stored until a client sees it completed, ms",
        "noop",
        is_drain=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Described:
    """Describe a contestant for the report."""

    name: str
    kind: str
    description: str
    share: float


@dataclass(slots=True)
class Run:
    """Hold all figures of a run.

    passes: contestant -> case -> figures of each pass that counts. spoilt: reasons why passes do not count.
    """

    command: str
    requests: int
    idle_requests: int
    machine: dict[str, str]
    contestants: list[Described]
    passes: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    spoilt: list[str] = field(default_factory=list)

    def add(self, contestant: str, case: Case, figures: Figures) -> None:
        self.passes.setdefault(contestant, {}).setdefault(case.name, []).append(figures)

    def values(self, contestant: str, case: Case, metric: str) -> list[float]:
        return [figures[metric] for figures in self.passes.get(contestant, {}).get(case.name, [])]

    def median(self, contestant: str, case: Case, metric: str) -> float | None:
        values = self.values(contestant, case, metric)
        return statistics.median(values) if values else None

    def cases(self) -> list[Case]:
        """Return the measured cases."""
        return [case for case in CASES if any(case.name in cases for cases in self.passes.values())]

    def ranked(self, case: Case) -> list[Described]:
        """Return the contestants with figures in this case, the best first."""
        measured = [contestant for contestant in self.contestants if self.values(contestant.name, case, case.metric)]
        return sorted(measured, key=lambda contestant: self._compared(contestant, case), reverse=case.is_drain)

    def best_peer(self, case: Case) -> Described | None:
        return next((contestant for contestant in self.ranked(case) if contestant.kind == "peer"), None)

    def ratio(self, contestant: str, base: str, case: Case) -> float | None:
        """Return the ratio of two medians; a higher rate is better, a lower time is better."""
        of, to = self.median(contestant, case, case.metric), self.median(base, case, case.metric)
        return of / to if of is not None and to is not None else None

    def _compared(self, contestant: Described, case: Case) -> float:
        return self.median(contestant.name, case, case.metric) or 0.0


def percentiles(latencies_ms: Sequence[float]) -> Figures:
    """Return percentiles by nearest rank: each is a measured latency."""
    ordered = sorted(latencies_ms)
    return {name: ordered[math.ceil(part * len(ordered)) - 1] for name, part in PERCENTILES.items()}
