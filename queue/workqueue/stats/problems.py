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
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.problem_texts import SEVERITY_ORDER, Problem, duration_text, fold_problems, time_text, waiting_text
from workqueue.stats.queue_depth import Queue

MAX_WAIT = timedelta(seconds=60)
MAX_SCHEDULER_SILENCE = timedelta(seconds=150)  # it rolls up each minute soon after its end
MAX_RETENTION_DELAY = timedelta(hours=1)
FAILING_WINDOW = timedelta(minutes=15)
MIN_FAILURES, MIN_FAILURE_RATE = 5, 0.5
WRITE_FAILURES = {
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
    database_unavailable_since: datetime | None = None
    full_disk: tuple[str, int] | None = None
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
        return [worker for worker in self.workers if worker.is_alive]

    @property
    def can_accept(self) -> bool:
        return not (self.database_unavailable_since or self.full_disk or self.write_failures)

    @property
    def can_start(self) -> bool:
        """Return whether a free worker would get a request."""
        return self.can_accept and not (self.redis_unavailable_since or self.redis_write_failure)

    @property
    def has_scheduler(self) -> bool:
        """Return whether a scheduler has reported lately; a new installation has some time before its first report."""
        known = self.rolled_up_until or min((worker.started_at for worker in self.live_workers), default=self.now)
        return self.now - known <= MAX_SCHEDULER_SILENCE


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
        text = f"The database is away since {time_text(since)}: nothing is accepted, and results wait to be stored."
        yield Problem("database_away", "error", text, since)
    if facts.full_disk:
        folder, free = facts.full_disk
        text = f"The disk of {folder} is full, {free // MIB} MiB are free: nothing new starts. Free some space."
        yield Problem("disk_full", "error", text)
    for outage, since in facts.write_failures.items():
        text = f"{WRITE_FAILURES[outage]} since {time_text(since)}: nothing is accepted, and results wait to be stored."
        yield Problem(f"database_{outage}", "error", text, since)


def _redis(facts: Facts) -> Iterator[Problem]:
    accepted = "requests are accepted, and none" if facts.can_accept else "no request"
    if since := facts.redis_unavailable_since:
        text = f"Redis is away since {time_text(since)}: {accepted} starts until it is back."
        yield Problem("redis_away", "error", text, since)
    if facts.redis_write_failure:
        why, since = facts.redis_write_failure
        text = f"Redis refuses writes since {time_text(since)}, {why}: {accepted} starts until it takes them again."
        yield Problem("redis_refuses", "error", text, since)


def _processes(facts: Facts) -> Iterator[Problem]:
    if facts.database_unavailable_since or facts.write_failures:
        return  # no process can report, so none counts as gone
    if not facts.live_workers:
        yield Problem("no_worker", "error", "No worker is running: nothing starts. Start one: `localfn worker`.")
    silent = sorted((worker for worker in facts.workers if not worker.is_alive), key=lambda each: each.seen_at)
    if len(silent) == 1:
        text = f"Worker {silent[0].name} is silent since {time_text(silent[0].seen_at)}{_held(facts, silent)}."
        yield Problem("worker_silent", "warning", text, silent[0].seen_at, ("worker", silent[0].name))
    elif silent:
        text = (
            f"{len(silent)} workers are silent, the last since {time_text(silent[-1].seen_at)}{_held(facts, silent)}."
        )
        yield Problem("worker_silent", "warning", text, silent[-1].seen_at, ("workers", ""), len(silent))
    if not facts.has_scheduler:
        since_ = facts.rolled_up_until
        reported = f"since {time_text(since_)}" if since_ else "yet"
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
    yield from fold_problems(paused, "queues are paused")
    if facts.database_unavailable_since or facts.write_failures or not facts.live_workers:
        return
    open_ = [queue for queue in facts.queues if queue.paused_at is None]
    yield from fold_problems(
        [_unserved(queue) for queue in open_ if not queue.workers], "queues are served by no worker"
    )
    if facts.can_start:  # otherwise an earlier line says why they wait
        late = [(queue, queue.depth.oldest) for queue in open_ if queue.workers and queue.depth.oldest is not None]
        waits = [_late(facts, queue, oldest) for queue, oldest in late if facts.now - oldest > MAX_WAIT]
        yield from fold_problems(waits, "queues have a request that has waited for more than a minute")


def _paused(queue: Queue, since: datetime) -> Problem:
    text = f"Queue {queue.name} is paused since {time_text(since)}; {waiting_text(queue.depth.due)} in it."
    return Problem("queue_paused", "info", text, since, ("queue", queue.name))


def _unserved(queue: Queue) -> Problem:
    due, oldest = queue.depth.due, queue.depth.oldest
    text = f"No worker serves queue {queue.name}; {waiting_text(due)} in it. Name it in LOCALFN_QUEUES of a worker."
    return Problem("no_worker_for_queue", "error" if due else "warning", text, oldest, ("queue", queue.name))


def _late(facts: Facts, queue: Queue, oldest: datetime) -> Problem:
    is_busy = all(worker.state == "busy" for worker in facts.live_workers)
    why = " All workers are busy; LOCALFN_CONCURRENCY limits how many there are." if is_busy else ""
    text = (
        f"The oldest request in queue {queue.name} has waited for {duration_text(facts.now - oldest)};"
        f" {waiting_text(queue.depth.due)} in it.{why}"
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
        if failed >= MIN_FAILURES and failed >= MIN_FAILURE_RATE * ended
    ]
    yield from fold_problems(failing, "functions fail")


def _retention(facts: Facts) -> Iterator[Problem]:
    oldest, keep_for = facts.oldest_ended_at, facts.retention
    if oldest is not None and keep_for is not None and facts.now - oldest > keep_for + MAX_RETENTION_DELAY:
        why = " The scheduler's log may say why." if facts.has_scheduler else ""
        text = (
            "Old requests are not deleted as fast as they come: the oldest ended "
            f"{duration_text(facts.now - oldest)} ago, LOCALFN_RETENTION_DAYS is {keep_for / timedelta(days=1):g}.{why}"
        )
        yield Problem("retention_behind", "warning", text, oldest + keep_for)
