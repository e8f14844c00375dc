"""Run the passes through all contestants, every second one backwards, so that a drift affects all equally."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from subprocess import Popen

import click

from benchmarks import usage
from benchmarks.peers import processes
from benchmarks.peers.contestant import Contestant
from benchmarks.peers.report.figures import (
    CONNECTIONS,
    CPU,
    MEMORY,
    RATE,
    SERVERS_CPU,
    Case,
    Figures,
    Run,
    percentiles,
)
from benchmarks.peers.report.rows import Rows
from benchmarks.peers.servers import Servers

POLL_S = 0.2
# A drain is given up after this time without a completed request.
STALL_LIMIT_S = 60.0


class SpoiltError(Exception):
    """Report a pass that does not count; the message says why."""


def measure(run: Run, servers: Servers, contestants: Sequence[Contestant], cases: Sequence[Case], passes: int) -> None:
    """Add the figures of `passes` passes to the run, and print each."""
    for number in range(passes):
        for case, contestant in _submission(contestants, cases, backwards=number % 2 == 1):
            line = f"pass {number + 1}/{passes}  {case.name:<5} {contestant.name:<26}"
            try:
                figures = _measure_pass(run, servers, contestant, case)
            except SpoiltError as error:
                run.spoilt.append(f"pass {number + 1}, {case.name}, {contestant.name}: {error}")
                click.echo(f"{line} does not count: {error}", err=True)
                continue
            run.add(contestant.name, case, figures)
            click.echo(line + "  ".join(f"{name} {value:,.1f}" for name, value in figures.items()), err=True)


def _submission(
    contestants: Sequence[Contestant], cases: Sequence[Case], *, backwards: bool
) -> Iterator[tuple[Case, Contestant]]:
    for case in cases:
        for contestant in reversed(contestants) if backwards else contestants:
            yield case, contestant


def _measure_pass(run: Run, servers: Servers, contestant: Contestant, case: Case) -> Figures:
    with closing(contestant.rows()) as rows:
        rows.empty()
        servers.even_out()
        if case.is_drain:
            return _drain(servers, contestant, rows, case, max(1, round(run.requests * contestant.share * case.share)))
        return _idle(contestant, rows, case, run.idle_requests)


def _drain(servers: Servers, contestant: Contestant, rows: Rows, case: Case, count: int) -> Figures:
    """Fill the queue, then start the workers. The times of the rows count, so the start of a worker does not.

    It counts in the processor time.
    """
    contestant.fill(case.function, count)
    servers_s, connections = usage.processor_s(servers.pids), usage.connections(servers.database_url)
    with processes.running(contestant.commands(), contestant.log) as started:
        _wait_until_done(contestant, rows, started)
        pids = [process.pid for process in started]
        used = {
            CPU: usage.processor_s(pids) / count * 1e6,
            SERVERS_CPU: (usage.processor_s(servers.pids) - servers_s) / count * 1e6,
            MEMORY: usage.memory_mb(pids),
            CONNECTIONS: float(usage.connections(servers.database_url) - connections),
        }
    return {RATE: count / _checked(rows, count)} | used


def _idle(contestant: Contestant, rows: Rows, case: Case, count: int) -> Figures:
    with processes.running(contestant.commands(), contestant.log):
        try:
            latencies_ms = contestant.latencies_ms(case.function, count)
        except (TimeoutError, click.ClickException) as error:
            raise SpoiltError(str(error)) from error
    _checked(rows, rows.outcome().total)
    return percentiles(latencies_ms)


def _wait_until_done(contestant: Contestant, rows: Rows, started: Sequence["Popen[bytes]"]) -> None:
    before, stalls_at = rows.left(), time.monotonic() + STALL_LIMIT_S
    while (left := rows.left()) > 0:
        ended = [process.returncode for process in started if process.poll() is not None]
        if ended:
            said = processes.last_lines(contestant.log.read_text())
            raise SpoiltError(f"a process ended with {ended[0]} while {left} requests were left\n{said}".strip())
        if left < before:
            before, stalls_at = left, time.monotonic() + STALL_LIMIT_S
        if time.monotonic() > stalls_at:
            raise SpoiltError(f"nothing was completed within {STALL_LIMIT_S:g} s")
        time.sleep(POLL_S)


def _checked(rows: Rows, count: int) -> float:
    """Return the seconds from the first claim to the last finish. Raises SpoiltError if one is not completed once."""
    outcome = rows.outcome()
    if (outcome.total, outcome.right) != (count, count):
        raise SpoiltError(
            f"of {count} requests {outcome.total} are stored, {outcome.right} completed once with the right result"
        )
    return outcome.took_s
