"""What is wrong now, in words for a person in a hurry: what happened, and what to do. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from workqueue.figures.backlog import Queue
from workqueue.figures.tally import Minute
from workqueue.registry import ImportFailure
from workqueue.workers.presence import Present

LONG_WAIT = timedelta(seconds=60)
SCHEDULER_SILENT = timedelta(seconds=150)  # it rolls up each minute soon after its end
RETENTION_LATE = timedelta(hours=1)
FAILING_WINDOW = timedelta(minutes=15)
FAILING_COUNT, FAILING_PART = 5, 0.5


@dataclass(frozen=True, slots=True)
class Problem:
    """severity: error, warning or info. subject: what it is about, as (kind, name), to be linked to."""

    code: str
    severity: str
    text: str
    since: datetime | None = None
    subject: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known now. counted_until: how far the leading scheduler has come. schedules: name → its error.

    keep_for: how long ended requests are kept; None for ever. oldest_ended_at: when the oldest of them ended.
    """

    now: datetime
    database_away_since: datetime | None = None
    redis_away_since: datetime | None = None
    workers: Sequence[Present] = ()
    queues: Sequence[Queue] = ()
    counted_until: datetime | None = None
    import_failures: Sequence[ImportFailure] = ()
    schedules: Sequence[tuple[str, str]] = ()
    keep_for: timedelta | None = None
    oldest_ended_at: datetime | None = None
    minutes: Sequence[Minute] = field(default=())


def problems(facts: Facts) -> list[Problem]:
    """The worst first."""
    order = {"error": 0, "warning": 1, "info": 2}
    found = [*_away(facts), *_processes(facts), *_queues(facts), *_code(facts), *_failing(facts), *_retention(facts)]
    return sorted(found, key=lambda problem: order[problem.severity])


def _away(facts: Facts) -> Iterator[Problem]:
    if since := facts.database_away_since:
        text = f"The database is away since {_clock(since)}: nothing is accepted, and what runs waits to be stored."
        yield Problem("database_away", "error", text, since)
    if since := facts.redis_away_since:
        text = f"Redis is away since {_clock(since)}: requests are accepted, and start when it is back."
        yield Problem("redis_away", "error", text, since)


def _processes(facts: Facts) -> Iterator[Problem]:
    if facts.database_away_since:
        return  # nobody can say who lives
    if not any(worker.is_alive for worker in facts.workers):
        yield Problem("no_worker", "error", "No worker is running: requests wait. Start one: `localfn worker`.")
    for worker in facts.workers:
        if not worker.is_alive:
            text = f"Worker {worker.name} is silent since {_clock(worker.seen_at)}: another one runs what it held."
            yield Problem("worker_silent", "warning", text, worker.seen_at, ("worker", worker.name))
    until = facts.counted_until
    if until is not None and facts.now - until > SCHEDULER_SILENT:
        text = (
            f"No scheduler is at work since {_clock(until)}: schedules do not fire, and lost requests are not"
            " given back. Start one: `localfn scheduler`."
        )
        yield Problem("no_scheduler", "error", text, until)


def _queues(facts: Facts) -> Iterator[Problem]:
    someone = any(worker.is_alive for worker in facts.workers)
    for queue in facts.queues:
        depth, subject = queue.depth, ("queue", queue.name)
        if queue.paused_at is not None:
            text = f"Queue {queue.name} is paused since {_clock(queue.paused_at)}; {_waiting(depth.due)} in it."
            yield Problem("queue_paused", "info", text, queue.paused_at, subject)
        elif someone and not queue.workers and not facts.database_away_since:
            text = f"No worker serves queue {queue.name}; {_waiting(depth.due)} in it. LOCALFN_QUEUES says who does."
            yield Problem("no_worker_for_queue", "error" if depth.due else "warning", text, depth.oldest, subject)
        elif someone and depth.oldest is not None and facts.now - depth.oldest > LONG_WAIT:
            text = (
                f"The oldest request in queue {queue.name} waits for {_lasting(facts.now - depth.oldest)};"
                f" {_waiting(depth.due)} for a free worker. LOCALFN_CONCURRENCY says how many there may be."
            )
            yield Problem("long_wait", "warning", text, depth.oldest, subject)


def _code(facts: Facts) -> Iterator[Problem]:
    for failure in facts.import_failures:
        text = f"{failure.source_file} cannot be imported: {failure.error_type}: {failure.error_message}"
        yield Problem("import_failure", "error", text, subject=("module", failure.unit))
    for name, error in facts.schedules:
        yield Problem(
            "schedule_error", "error", f"Schedule {name} makes no requests: {error}", None, ("schedule", name)
        )


def _failing(facts: Facts) -> Iterator[Problem]:
    since = facts.now - FAILING_WINDOW
    counts: dict[str, tuple[int, int]] = {}
    for each in facts.minutes:
        if each.minute >= since:
            ended, failed = counts.get(each.function, (0, 0))
            counts[each.function] = ended + each.completed + each.failed, failed + each.failed
    for function, (ended, failed) in sorted(counts.items()):
        if failed >= FAILING_COUNT and failed >= FAILING_PART * ended:
            text = f"Function {function} fails: {failed} of {ended} requests in the last 15 minutes."
            yield Problem("function_fails", "warning", text, None, ("function", function))


def _retention(facts: Facts) -> Iterator[Problem]:
    oldest, keep_for = facts.oldest_ended_at, facts.keep_for
    if oldest is not None and keep_for is not None and facts.now - oldest > keep_for + RETENTION_LATE:
        text = (
            f"Old requests are not deleted as fast as they come: the oldest ended {_lasting(facts.now - oldest)} ago,"
            f" LOCALFN_RETENTION_DAYS is {keep_for / timedelta(days=1):g}. The scheduler's log may say why."
        )
        yield Problem("retention_behind", "warning", text, oldest + keep_for)


def _waiting(count: int) -> str:
    return "nothing waits" if not count else "one request waits" if count == 1 else f"{count:,} requests wait"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def _lasting(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{span.days} days"
