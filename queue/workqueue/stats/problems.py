"""Name problems for a person in a hurry: the event, and the remedy. Pure.

One line for each kind: of many functions that fail, one line says how many, names the worst, and leads to the list.
Each sentence holds in the state that it is said in, whatever else is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schema.outage import Outage
from workqueue.files.disk_space import MIB
from workqueue.functions.registry import ImportFailure
from workqueue.heartbeats.worker_heartbeats import WorkerInfo
from workqueue.stats.minute_rollup import Minute
from workqueue.stats.problem_texts import ORDER, Problem, clock, folded, lasting, waiting
from workqueue.stats.queue_depth import Queue

LONG_WAIT = timedelta(seconds=60)
SCHEDULER_SILENT = timedelta(seconds=150)  # it rolls up each minute soon after its end
RETENTION_LATE = timedelta(hours=1)
FAILING_WINDOW = timedelta(minutes=15)
FAILING_COUNT, FAILING_PART = 5, 0.5
REFUSALS = {
    Outage.FULL: "The disk of the database is full",
    Outage.READ_ONLY: "The database takes no writes",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The state now. counted_until: how far the leading scheduler has come. schedules: name → its error.

    full_disk: the folder whose disk has no room, and the bytes left. database_refuses: which writes, since when.
    redis_refuses: why it refuses writes, since when. keep_for: how long ended requests are kept; None for ever.
    oldest_ended_at: when the oldest of them ended.
    """

    now: datetime
    database_away_since: datetime | None = None
    full_disk: tuple[str, int] | None = None
    database_refuses: Mapping[Outage, datetime] = field(default_factory=dict)
    redis_away_since: datetime | None = None
    redis_refuses: tuple[str, datetime] | None = None
    workers: Sequence[WorkerInfo] = ()
    queues: Sequence[Queue] = ()
    counted_until: datetime | None = None
    import_failures: Sequence[ImportFailure] = ()
    schedules: Sequence[tuple[str, str]] = ()
    keep_for: timedelta | None = None
    oldest_ended_at: datetime | None = None
    minutes: Sequence[Minute] = field(default=())

    @property
    def alive(self) -> list[WorkerInfo]:
        return [worker for worker in self.workers if worker.is_alive]

    @property
    def accepts(self) -> bool:
        return not (self.database_away_since or self.full_disk or self.database_refuses)

    @property
    def starts(self) -> bool:
        """Return whether a free worker would get a request."""
        return self.accepts and not (self.redis_away_since or self.redis_refuses)

    @property
    def has_scheduler(self) -> bool:
        """Return whether a scheduler has reported lately; a new installation has some time before its first report."""
        known = self.counted_until or min((worker.started_at for worker in self.alive), default=self.now)
        return self.now - known <= SCHEDULER_SILENT


def problems(facts: Facts) -> list[Problem]:
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
    return sorted(found, key=lambda problem: ORDER[problem.severity])


def _storage(facts: Facts) -> Iterator[Problem]:
    if since := facts.database_away_since:
        text = f"The database is away since {clock(since)}: nothing is accepted, and results wait to be stored."
        yield Problem("database_away", "error", text, since)
    if facts.full_disk:
        folder, free = facts.full_disk
        text = f"The disk of {folder} is full, {free // MIB} MiB are free: nothing new starts. Free some space."
        yield Problem("disk_full", "error", text)
    for outage, since in facts.database_refuses.items():
        text = f"{REFUSALS[outage]} since {clock(since)}: nothing is accepted, and results wait to be stored."
        yield Problem(f"database_{outage}", "error", text, since)


def _redis(facts: Facts) -> Iterator[Problem]:
    accepted = "requests are accepted, and none" if facts.accepts else "no request"
    if since := facts.redis_away_since:
        text = f"Redis is away since {clock(since)}: {accepted} starts until it is back."
        yield Problem("redis_away", "error", text, since)
    if facts.redis_refuses:
        why, since = facts.redis_refuses
        text = f"Redis refuses writes since {clock(since)}, {why}: {accepted} starts until it takes them again."
        yield Problem("redis_refuses", "error", text, since)


def _processes(facts: Facts) -> Iterator[Problem]:
    if facts.database_away_since or facts.database_refuses:
        return  # no process can report, so none counts as gone
    if not facts.alive:
        yield Problem("no_worker", "error", "No worker is running: nothing starts. Start one: `localfn worker`.")
    silent = sorted((worker for worker in facts.workers if not worker.is_alive), key=lambda each: each.seen_at)
    if len(silent) == 1:
        text = f"Worker {silent[0].name} is silent since {clock(silent[0].seen_at)}{_held(facts, silent)}."
        yield Problem("worker_silent", "warning", text, silent[0].seen_at, ("worker", silent[0].name))
    elif silent:
        text = f"{len(silent)} workers are silent, the last since {clock(silent[-1].seen_at)}{_held(facts, silent)}."
        yield Problem("worker_silent", "warning", text, silent[-1].seen_at, ("workers", ""), len(silent))
    if not facts.has_scheduler:
        since_ = facts.counted_until
        reported = f"since {clock(since_)}" if since_ else "yet"
        text = (
            f"No scheduler has reported {reported}: schedules do not fire, and lost requests are not given back."
            " Start one: `localfn scheduler`."
        )
        yield Problem("no_scheduler", "error", text, since_)


def _held(facts: Facts, silent: Sequence[WorkerInfo]) -> str:
    """Say what becomes of the requests that silent workers hold."""
    held = sum(worker.held for worker in silent)
    if not held:
        return ""
    what = "one request" if held == 1 else f"{held:,} requests"
    when = "when their leases lapse" if facts.has_scheduler else "when a scheduler runs"
    return f", with {what} that will be given back {when}"


def _queues(facts: Facts) -> Iterator[Problem]:
    paused = [_paused(queue, queue.paused_at) for queue in facts.queues if queue.paused_at is not None]
    yield from folded(paused, "queues are paused")
    if facts.database_away_since or facts.database_refuses or not facts.alive:
        return
    open_ = [queue for queue in facts.queues if queue.paused_at is None]
    yield from folded([_unserved(queue) for queue in open_ if not queue.workers], "queues are served by no worker")
    if facts.starts:  # otherwise an earlier line says why they wait
        late = [(queue, queue.depth.oldest) for queue in open_ if queue.workers and queue.depth.oldest is not None]
        waits = [_late(facts, queue, oldest) for queue, oldest in late if facts.now - oldest > LONG_WAIT]
        yield from folded(waits, "queues have a request that has waited for more than a minute")


def _paused(queue: Queue, since: datetime) -> Problem:
    text = f"Queue {queue.name} is paused since {clock(since)}; {waiting(queue.depth.due)} in it."
    return Problem("queue_paused", "info", text, since, ("queue", queue.name))


def _unserved(queue: Queue) -> Problem:
    due, oldest = queue.depth.due, queue.depth.oldest
    text = f"No worker serves queue {queue.name}; {waiting(due)} in it. Name it in LOCALFN_QUEUES of a worker."
    return Problem("no_worker_for_queue", "error" if due else "warning", text, oldest, ("queue", queue.name))


def _late(facts: Facts, queue: Queue, oldest: datetime) -> Problem:
    is_busy = all(worker.state == "busy" for worker in facts.alive)
    why = " All workers are busy; LOCALFN_CONCURRENCY limits how many there are." if is_busy else ""
    text = (
        f"The oldest request in queue {queue.name} has waited for {lasting(facts.now - oldest)};"
        f" {waiting(queue.depth.due)} in it.{why}"
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
    yield from folded(failures, "files cannot be imported")
    schedules = [
        Problem("schedule_error", "error", f"Schedule {name} makes no requests: {error}", None, ("schedule", name))
        for name, error in facts.schedules
    ]
    yield from folded(schedules, "schedules make no requests")


def _failing(facts: Facts) -> Iterator[Problem]:
    since = facts.now - FAILING_WINDOW
    counts: dict[str, tuple[int, int]] = {}
    for each in facts.minutes:
        if each.minute >= since:
            failed, ended = counts.get(each.function, (0, 0))
            counts[each.function] = failed + each.failed, ended + each.completed + each.failed
    failing = [
        Problem(
            "function_fails",
            "warning",
            f"Function {function} fails: {failed} of {ended} requests in the last 15 minutes.",
            subject=("function", function),
        )
        for function, (failed, ended) in sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
        if failed >= FAILING_COUNT and failed >= FAILING_PART * ended
    ]
    yield from folded(failing, "functions fail")


def _retention(facts: Facts) -> Iterator[Problem]:
    oldest, keep_for = facts.oldest_ended_at, facts.keep_for
    if oldest is not None and keep_for is not None and facts.now - oldest > keep_for + RETENTION_LATE:
        why = " The scheduler's log may say why." if facts.has_scheduler else ""
        text = (
            f"Old requests are not deleted as fast as they come: the oldest ended {lasting(facts.now - oldest)} ago,"
            f" LOCALFN_RETENTION_DAYS is {keep_for / timedelta(days=1):g}.{why}"
        )
        yield Problem("retention_behind", "warning", text, oldest + keep_for)
