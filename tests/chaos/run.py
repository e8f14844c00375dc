"""One run: a stage, clients, faults, a quiet end, and the verdict."""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.chaos import faults
from tests.chaos.clients import Client, Promises
from tests.chaos.environment.environment import Stage, staged
from tests.chaos.evidence import leftovers, recovery_time, verdict
from tests.chaos.evidence.collect import gather
from tests.chaos.evidence.event_log import WallClock
from tests.chaos.evidence.report import Report
from tests.chaos.evidence.timeline import timeline
from tests.chaos.evidence.verdict import Violation
from tests.chaos.fault_injection import Injector
from tests.support.waiting import wait_until

CLIENTS = 4
END_LIMIT_S = 90.0  # after the last fault; the longest function, its retries and a queue of them take less
READY_LIMIT_S = 30.0
STRAY_LIMIT_S = 30.0
SHOWN = 3
LIVE = "SELECT count(*) FROM processing_request WHERE status IN ('pending', 'processing')"


def run(seed: int, duration_s: float, lease_s: float, keep: Path | None = None) -> Report:
    """duration_s: of the faults; settling and judging come on top. keep: a folder to leave everything in."""
    if keep is not None:
        keep.mkdir(parents=True)
        return _run(keep.resolve(), seed, duration_s, lease_s, keep=True)
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        return _run(Path(folder).resolve(), seed, duration_s, lease_s)


def _run(folder: Path, seed: int, duration_s: float, lease_s: float, *, keep: bool = False) -> Report:
    with staged(folder, seed, lease_s, keep=keep) as stage:
        promises, clock = Promises(), WallClock.read()
        _play(stage, promises, seed, duration_s, lease_s)
        settled_s, unsettled = _settle(stage)
        found = [*unsettled, *_residue(stage, lease_s)]
        evidence = gather(stage, promises, clock)
        late = [Violation(f"{name} did not end after SIGTERM") for name in stage.stop_runtime()]
        found += [*late, *_eventually(lambda: list(leftovers.survivors(stage)), 5.0), *leftovers.connections(stage)]
        found += verdict.judge(evidence)
        recovered = recovery_time.recoveries(evidence)
        found += [*recovery_time.too_slow(recovered, lease_s), *recovery_time.lost_without_reason(evidence)]
        ids = list(dict.fromkeys(violation.id for violation in found if violation.id))[:SHOWN]
        timelines = [timeline(evidence, id, stage.logs) for id in ids]
        return Report(seed, lease_s, settled_s, evidence, recovered, found, timelines)


def _play(stage: Stage, promises: Promises, seed: int, duration_s: float, lease_s: float) -> None:
    stopping = threading.Event()
    longest_s = min(2 * lease_s, 15.0)
    clients = [Client(stage.url, seed * 1000 + n, longest_s, promises, stopping) for n in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    try:
        Injector(stage, threading.Event()).play(faults.schedule(seed, duration_s, lease_s))
    finally:
        stopping.set()
        for client in clients:
            client.thread.join()


def _settle(stage: Stage) -> tuple[float, list[Violation]]:
    """Waits until everything is up and every request has ended; how long that took."""
    started = time.monotonic()
    found: list[Violation] = []
    for ask, limit_s, what in (
        (stage.is_ready, READY_LIMIT_S, "the runtime is ready again"),
        (lambda: _live(stage) == 0, END_LIMIT_S, "every request ends"),
    ):
        try:
            wait_until(ask, limit_s, what)
        except AssertionError as error:
            found.append(Violation(str(error)))
    return time.monotonic() - started, found


def _live(stage: Stage) -> int:
    try:
        with stage.connect() as connection:
            row = connection.execute(LIVE).fetchone()
    except psycopg.OperationalError:
        return -1
    assert row is not None
    return int(str(row[0]))


def _residue(stage: Stage, lease_s: float) -> list[Violation]:
    """Cleaning up follows the end of a request: it is given a little time."""
    return [
        *_eventually(lambda: list(leftovers.folders(stage, lease_s)), STRAY_LIMIT_S),
        *_eventually(lambda: list(leftovers.strays(stage)), STRAY_LIMIT_S),
        *_eventually(lambda: list(leftovers.keys(stage)), STRAY_LIMIT_S),
    ]


def _eventually(look: Callable[[], list[Violation]], limit_s: float) -> list[Violation]:
    """What is still found after the time limit."""
    deadline = time.monotonic() + limit_s
    pause = threading.Event()
    while (found := look()) and time.monotonic() < deadline:
        pause.wait(0.2)
    return found
