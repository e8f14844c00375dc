"""Find the problems of an installation, each with its remedy. Pure.

There is one line per kind: if many functions fail, one line gives their number, names the worst, and links to the list.
Each text must be true in combination with all other problems.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schema.outage import Outage
from workqueue.files.disk_space import MIB
from workqueue.functions.registry import ImportFailure
from workqueue.heartbeats.worker_heartbeats import WorkerInfo
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.problem_texts import SEVERITY_ORDER, Problem, duration_text, fold_problems, time_text, waiting_text
from workqueue.stats.queue_depth import Queue

MAX_WAIT = timedelta(seconds=60)
MAX_SCHEDULER_SILENCE = timedelta(seconds=150)  # it stores each minute soon after the minute's end
MAX_RETENTION_DELAY = timedelta(hours=1)
FAILING_WINDOW = timedelta(minutes=15)
MIN_FAILURES, MIN_FAILURE_RATE = 5, 0.5
NO_WRITES = "no request is accepted, and results wait to be stored."
WRITE_FAILURES = {
    Outage.FULL: "The disk of the database has been full",
    Outage.READ_ONLY: "The database has been read-only",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The current state of the installation.

    full_disk: a folder on a full disk, and the free bytes. store_outage: start and reason, of the file store.
    newer_revision: of the database, if a newer version migrated it. write_failures: why writes fail, and since when.
    redis_write_failure: why Redis rejects writes, and since when. rolled_up_until: the end of the last stored minute.
    schedules: name and error of each failing schedule. retention: how long ended requests are kept; None: forever.
    oldest_ended_at: when the oldest ended request ended.
    """

    now: datetime
    database_unavailable_since: datetime | None = None
    full_disk: tuple[str, int] | None = None
    store_outage: tuple[datetime, str] | None = None
    newer_revision: str | None = None
    write_failures: Mapping[Outage, datetime] = field(default_factory=dict)
    redis_unavailable_since: datetime | None = None
    redis_write_failure: tuple[str, datetime] | None = None
    workers: Sequence[WorkerInfo] = ()
    queues: Sequence[Queue] = ()
    rolled_up_until: datetime | None = None
    import_failures: Sequence[ImportFailure] = ()
    schedules: Sequence[tuple[str, str]] = ()
    retention: timedelta | None = None
    oldest_ended_at: datetime | None = None
    minutes: Sequence[FunctionMinute] = field(default=())

    @property
    def live_workers(self) -> list[WorkerInfo]:
        """Return the workers that have reported recently."""
        return [worker for worker in self.workers if worker.is_alive]

    @property
    def can_accept(self) -> bool:
        """Return True if new requests can be stored."""
        return not (self.database_unavailable_since or self.full_disk or self.write_failures)

    @property
    def has_scheduler(self) -> bool:
        """Return True if a scheduler has reported recently, or if the installation is too new for a first report."""
        last_report = self.rolled_up_until or min((worker.started_at for worker in self.live_workers), default=self.now)
        return self.now - last_report <= MAX_SCHEDULER_SILENCE


def find_problems(facts: Facts) -> list[Problem]:
    """Return all problems, the worst first."""
    found = [
        *_storage(facts),
        *_redis(facts),
        *_processes(facts),
        *_queues(facts),
        *_code(facts),
        *_failing(facts),
        *_retention(facts),
    ]
    return sorted(found, key=lambda problem: SEVERITY_ORDER[problem.severity])


def _storage(facts: Facts) -> Iterator[Problem]:
    if since := facts.database_unavailable_since:
        text = f"The database has been unavailable since {time_text(since)}: {NO_WRITES}"
        yield Problem("database_away", "error", text, since)
    if facts.full_disk:
        folder, free = facts.full_disk
        text = f"The disk of {folder} is full, {free // MIB} MiB are free: no new request starts. Free some space."
        yield Problem("disk_full", "error", text)
    if facts.store_outage:
        since, reason = facts.store_outage
        text = (
            f"The file store has been unavailable since {time_text(since)}: uploads and downloads fail, and requests "
        )
        yield Problem("files_away", "error", f"{text}wait with their output files. {reason}", since)
    for outage, since in facts.write_failures.items():
        text = f"{WRITE_FAILURES[outage]} since {time_text(since)}: {NO_WRITES}"
        yield Problem(f"database_{outage}", "error", text, since)
    if facts.newer_revision:
        text = (
            f"A newer version has migrated the database, to revision {facts.newer_revision}. Upgrade all processes, or "
            "set the newer ones back."
        )
        yield Problem("database_newer", "warning", text)


def _redis(facts: Facts) -> Iterator[Problem]:
    result = "requests are accepted, and start about a second later." if facts.can_accept else "no request starts."
    if since := facts.redis_unavailable_since:
        text = f"Redis has been unavailable since {time_text(since)}: {result}"
        yield Problem("redis_away", "error", text, since)
    if facts.redis_write_failure:
        reason, since = facts.redis_write_failure
        yield Problem(
            "redis_refuses", "error", f"Redis has rejected writes since {time_text(since)}, {reason}: {result}", since
        )


def _processes(facts: Facts) -> Iterator[Problem]:
    if facts.database_unavailable_since or facts.write_failures:
        return  # no process can report to the database, so a missing report proves nothing
    if not facts.live_workers:
        yield Problem("no_worker", "error", "No worker is running: no request starts. Start one: `localfn worker`.")
    unresponsive = sorted((worker for worker in facts.workers if not worker.is_alive), key=lambda each: each.seen_at)
    latest = f"since {time_text(unresponsive[-1].seen_at)}{_held(facts, unresponsive)}." if unresponsive else ""
    if len(unresponsive) == 1:
        text = f"Worker {unresponsive[0].name} has not reported {latest}"
        yield Problem("worker_silent", "warning", text, unresponsive[0].seen_at, ("worker", unresponsive[0].name))
    elif unresponsive:
        text = f"{len(unresponsive)} workers have not reported, the latest {latest}"
        yield Problem("worker_silent", "warning", text, unresponsive[-1].seen_at, ("workers", ""), len(unresponsive))
    if not facts.has_scheduler:
        since_ = facts.rolled_up_until
        reported = f"since {time_text(since_)}" if since_ else "yet"
        text = (
            f"No scheduler has reported {reported}: schedules do not fire, and lost requests are not given back."
            " Start one: `localfn scheduler`."
        )
        yield Problem("no_scheduler", "error", text, since_)


def _held(facts: Facts, unresponsive: Sequence[WorkerInfo]) -> str:
    """Describe what happens to the requests that unresponsive workers hold."""
    held = sum(worker.held for worker in unresponsive)
    if not held:
        return ""
    what = "one request" if held == 1 else f"{held:,} requests"
    when = "when their leases lapse" if facts.has_scheduler else "when a scheduler runs"
    return f", with {what} that will be given back {when}"


def _queues(facts: Facts) -> Iterator[Problem]:
    paused = [_paused(queue, queue.paused_at) for queue in facts.queues if queue.paused_at is not None]
    yield from fold_problems(paused, "queues are paused")
    if facts.database_unavailable_since or facts.write_failures or not facts.live_workers:
        return
    unpaused = [queue for queue in facts.queues if queue.paused_at is None]
    yield from fold_problems(
        [_unserved(queue) for queue in unpaused if not queue.workers], "queues are served by no worker"
    )
    if facts.can_accept:  # otherwise another problem says why requests wait
        late = [(queue, queue.depth.oldest) for queue in unpaused if queue.workers and queue.depth.oldest is not None]
        waits = [_late(facts, queue, oldest) for queue, oldest in late if facts.now - oldest > MAX_WAIT]
        yield from fold_problems(waits, "queues have a request that has waited for more than a minute")


def _paused(queue: Queue, since: datetime) -> Problem:
    text = f"Queue {queue.name} has been paused since {time_text(since)}; {waiting_text(queue.depth.due)} in it."
    return Problem("queue_paused", "info", text, since, ("queue", queue.name))


def _unserved(queue: Queue) -> Problem:
    due, oldest = queue.depth.due, queue.depth.oldest
    text = f"No worker serves queue {queue.name}; {waiting_text(due)} in it. Name it in LOCALFN_QUEUES of a worker."
    return Problem("no_worker_for_queue", "error" if due else "warning", text, oldest, ("queue", queue.name))


def _late(facts: Facts, queue: Queue, oldest: datetime) -> Problem:
    is_busy = all(worker.state == "busy" for worker in facts.live_workers)
    reason = " All workers are busy; LOCALFN_CONCURRENCY limits how many there are." if is_busy else ""
    text = (
        f"The oldest request in queue {queue.name} has waited for {duration_text(facts.now - oldest)};"
        f" {waiting_text(queue.depth.due)} in it.{reason}"
    )
    return Problem("long_wait", "warning", text, oldest, ("queue", queue.name))


def _code(facts: Facts) -> Iterator[Problem]:
    failures = [
        Problem(
            "import_failure",
            "error",
            f"{failure.source_file} cannot be imported: {failure.error_type}: {failure.error_message}",
            subject=("module", failure.unit),
        )
        for failure in facts.import_failures
    ]
    yield from fold_problems(failures, "files cannot be imported")
    schedules = [
        Problem("schedule_error", "error", f"Schedule {name} makes no requests: {error}", None, ("schedule", name))
        for name, error in facts.schedules
    ]
    yield from fold_problems(schedules, "schedules make no requests")


def _failing(facts: Facts) -> Iterator[Problem]:
    since = facts.now - FAILING_WINDOW
    counts: dict[str, tuple[int, int]] = {}
    for each in facts.minutes:
        if each.minute >= since:
            failed, total = counts.get(each.function, (0, 0))
            counts[each.function] = failed + each.failed, total + each.completed + each.failed
    failing = [
        Problem(
            "function_fails",
            "warning",
            f"Function {function} fails: {failed} of {total} requests in the last 15 minutes.",
            subject=("function", function),
        )
        for function, (failed, total) in sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
        if failed >= MIN_FAILURES and failed >= MIN_FAILURE_RATE * total
    ]
    yield from fold_problems(failing, "functions fail")


def _retention(facts: Facts) -> Iterator[Problem]:
    oldest, keep_for = facts.oldest_ended_at, facts.retention
    if oldest is not None and keep_for is not None and facts.now - oldest > keep_for + MAX_RETENTION_DELAY:
        hint = " The scheduler's log may say why." if facts.has_scheduler else ""
        text = (
            f"Old requests are not deleted as fast as they come: the oldest ended {duration_text(facts.now - oldest)}"
            f" ago, LOCALFN_RETENTION_DAYS is {keep_for / timedelta(days=1):g}.{hint}"
        )
        yield Problem("retention_behind", "warning", text, oldest + keep_for)
