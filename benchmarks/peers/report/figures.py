"""What a run measured, and what follows from it: medians and ratios."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

RATE = "rate"  # requests a second
PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}  # milliseconds
CaseName = Literal["noop", "nap", "idle"]

Figures = dict[str, float]  # of one pass: {"rate": …} of a drain, {"p50": …, "p95": …, "p99": …} of an idle case


@dataclass(frozen=True, slots=True)
class Case:
    """A drain empties a full queue of requests; the other sends one request at a time. function: what they run."""

    name: CaseName
    title: str
    function: str
    is_drain: bool

    @property
    def metric(self) -> str:
        """The one that contestants are compared by."""
        return RATE if self.is_drain else "p50"


CASES = (
    Case("noop", "Drain of no-ops, requests a second", "noop", is_drain=True),
    Case("nap", "Drain of functions that sleep 1 ms, requests a second", "nap", is_drain=True),
    Case(
        "idle",
        "A single request at idle, from before its row is stored until a client sees it completed, ms",
        "noop",
        False,
    ),
)


@dataclass(frozen=True, slots=True)
class Described:
    """A contestant, for the reader."""

    name: str
    kind: str
    told: str
    share: float


@dataclass(slots=True)
class Run:
    """passes: contestant → case → the figures of each pass that counts. spoilt: why a pass does not."""

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
        """Those that were measured."""
        return [case for case in CASES if any(case.name in cases for cases in self.passes.values())]

    def ranked(self, case: Case) -> list[Described]:
        """The contestants that have figures in this case, the best first."""
        measured = [one for one in self.contestants if self.values(one.name, case, case.metric)]
        return sorted(measured, key=lambda one: self._compared(one, case), reverse=case.is_drain)

    def best_peer(self, case: Case) -> Described | None:
        return next((one for one in self.ranked(case) if one.kind == "peer"), None)

    def ratio(self, contestant: str, base: str, case: Case) -> float | None:
        """Of the medians; of rates more is better, of times less."""
        of, to = self.median(contestant, case, case.metric), self.median(base, case, case.metric)
        return of / to if of is not None and to is not None else None

    def _compared(self, one: Described, case: Case) -> float:
        return self.median(one.name, case, case.metric) or 0.0


def percentiles(latencies_ms: Sequence[float]) -> Figures:
    """By nearest rank: each is a latency that was seen."""
    ordered = sorted(latencies_ms)
    return {name: ordered[math.ceil(part * len(ordered)) - 1] for name, part in PERCENTILES.items()}
