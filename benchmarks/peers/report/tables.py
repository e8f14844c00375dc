"""Format the figures as tables, for a terminal and in Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.peers.report.figures import (
    CONNECTIONS,
    CPU,
    MEMORY,
    PERCENTILES,
    RATE,
    SERVERS_CPU,
    Case,
    Described,
    Run,
)
from benchmarks.peers.setups import BATCHED_BOUND, PLAIN_RQ

NOTHING = "-"
USED = {"µs": CPU, "µs of servers": SERVERS_CPU, "MB": MEMORY, "connections": CONNECTIONS}


@dataclass(frozen=True, slots=True)
class Table:
    """Hold the formatted cells of a table; the first column is text, the others are figures."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def of(run: Run, case: Case) -> Table:
    """Return the table of a case: medians over the passes, the best first, and ratios to three bases."""
    best = run.best_peer(case)
    bases = {f"to best peer ({best.name})" if best else "to best peer": best.name if best else ""}
    bases |= {"to plain RQ": PLAIN_RQ, "to bare batches": BATCHED_BOUND}
    header, cells = _of_drain(run, case) if case.is_drain else _of_idle(run, case)
    rows = [
        (
            contestant.name,
            *cells(contestant),
            *(_ratio(run.ratio(contestant.name, base, case)) for base in bases.values()),
        )
        for contestant in run.ranked(case)
    ]
    return Table(case.title, ("", *header, *bases), tuple(rows))


Cells = Callable[[Described], tuple[str, ...]]


def _of_drain(run: Run, case: Case) -> tuple[tuple[str, ...], Cells]:
    def cells(contestant: Described) -> tuple[str, ...]:
        values = run.values(contestant.name, case, RATE)
        return (
            _shown(run.median(contestant.name, case, RATE), 0),
            f"{min(values):,.0f}-{max(values):,.0f}",
            str(len(values)),
            *(_shown(run.median(contestant.name, case, metric), 0) for metric in USED.values()),
        )

    return ("median", "lowest-highest", "passes", *USED), cells


def _of_idle(run: Run, case: Case) -> tuple[tuple[str, ...], Cells]:
    def cells(contestant: Described) -> tuple[str, ...]:
        medians = (_shown(run.median(contestant.name, case, name), 1) for name in PERCENTILES)
        return *medians, str(len(run.values(contestant.name, case, case.metric)))

    return (*PERCENTILES, "passes"), cells


def _shown(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def _ratio(value: float | None) -> str:
    return _shown(value, 3 if value is not None and value < 0.1 else 2)


def plain(table: Table) -> str:
    """Format a table in columns for a terminal."""
    lines = [table.header, *table.rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join([table.title, *(_aligned(line, widths) for line in lines)])


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    return "  ".join(
        [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
    )


def markdown(table: Table) -> str:
    lines = [table.header, ("---", *("---:" for _ in table.header[1:])), *table.rows]
    return "\n".join([f"### {table.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])
