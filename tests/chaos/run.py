"""Run chaos: start the environment, clients and faults, wait for a quiet end, and judge."""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.chaos import faults
from tests.chaos.clients import AnswerRecord, Client
from tests.chaos.environment.environment import ChaosEnvironment, run_environment
from tests.chaos.evidence import leftovers, recovery_time, verdict
from tests.chaos.evidence.collect import gather
from tests.chaos.evidence.event_log import WallClock
from tests.chaos.evidence.report import Report
from tests.chaos.evidence.timeline import timeline
from tests.chaos.evidence.verdict import Violation
from tests.chaos.fault_injection import Injector
from tests.support.waiting import wait_until

CLIENTS = 4
END_LIMIT_S = 90.0  # after the last fault; longer than the longest function with its retries
READY_LIMIT_S = 30.0
STRAY_LIMIT_S = 30.0
SHOWN = 3
LIVE = "SELECT count(*) FROM processing_request WHERE status IN ('pending', 'processing')"


def run(seed: int, duration_s: float, lease_s: float, keep: Path | None = None) -> Report:
    """Run faults for `duration_s`, then settle and judge.

    keep: folder for all data of the run.
    """
    if keep is not None:
        keep.mkdir(parents=True)
        return _run(keep.resolve(), seed, duration_s, lease_s, keep=True)
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        return _run(Path(folder).resolve(), seed, duration_s, lease_s)


def _run(folder: Path, seed: int, duration_s: float, lease_s: float, *, keep: bool = False) -> Report:
    with run_environment(folder, seed, lease_s, keep=keep) as environment:
        record, clock = AnswerRecord(), WallClock.read()
        _play(environment, record, seed, duration_s, lease_s)
        settled_s, unsettled = _settle(environment)
        found = [*unsettled, *_wait_for_cleanup(environment, lease_s)]
        evidence = gather(environment, record, clock)
        late = [Violation(f"{name} did not end after SIGTERM") for name in environment.stop_runtime()]
        survivors = _wait_until_empty(lambda: list(leftovers.find_survivors(environment)), 5.0)
        found += [*late, *survivors, *leftovers.find_connections(environment)]
        found += verdict.judge(evidence)
        recovered = recovery_time.find_recoveries(evidence)
        found += [*recovery_time.too_slow(recovered, lease_s), *recovery_time.lost_without_reason(evidence)]
        ids = list(dict.fromkeys(violation.id for violation in found if violation.id))[:SHOWN]
        timelines = [timeline(evidence, id, environment.logs) for id in ids]
        return Report(seed, lease_s, settled_s, evidence, recovered, found, timelines)


def _play(environment: ChaosEnvironment, record: AnswerRecord, seed: int, duration_s: float, lease_s: float) -> None:
    stopping = threading.Event()
    longest_s = min(2 * lease_s, 15.0)
    clients = [Client(environment.url, seed * 1000 + n, longest_s, record, stopping) for n in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    try:
        Injector(environment, clients[0].post_crowd, threading.Event()).play(faults.schedule(seed, duration_s, lease_s))
    finally:
        stopping.set()
        for client in clients:
            client.thread.join()


def _settle(environment: ChaosEnvironment) -> tuple[float, list[Violation]]:
    """Wait until all processes run and all requests have ended; return the seconds and violations."""
    started = time.monotonic()
    found: list[Violation] = []
    for ask, limit_s, what in (
        (environment.is_ready, READY_LIMIT_S, "the runtime is ready again"),
        (lambda: _count_unended(environment) == 0, END_LIMIT_S, "every request ends"),
    ):
        try:
            wait_until(ask, limit_s, what)
        except AssertionError as error:
            found.append(Violation(str(error)))
    return time.monotonic() - started, found


def _count_unended(environment: ChaosEnvironment) -> int:
    try:
        with environment.connect() as connection:
            row = connection.execute(LIVE).fetchone()
    except psycopg.OperationalError:
        return -1
    assert row is not None
    return int(str(row[0]))


def _wait_for_cleanup(environment: ChaosEnvironment, lease_s: float) -> list[Violation]:
    """Return leftovers that the cleanup after the last request does not remove in time."""
    return [
        *_wait_until_empty(lambda: list(leftovers.find_folders(environment, lease_s)), STRAY_LIMIT_S),
        *_wait_until_empty(lambda: list(leftovers.find_orphans(environment)), STRAY_LIMIT_S),
        *_wait_until_empty(lambda: list(leftovers.find_keys(environment)), STRAY_LIMIT_S),
    ]


def _wait_until_empty(find: Callable[[], list[Violation]], limit_s: float) -> list[Violation]:
    """Return what `find` still finds at the time limit."""
    deadline = time.monotonic() + limit_s
    pause = threading.Event()
    while (found := find()) and time.monotonic() < deadline:
        pause.wait(0.2)
    return found
