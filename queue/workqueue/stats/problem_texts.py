"""Format problems: a single problem in full, several problems of one kind as one line. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_NAMES = 3  # per line
SEVERITY_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that the overview shows.

    severity: error, warning or info. subject: the affected object as (kind, name), for a link. count: the number of
    affected objects; if several, the kind is in the plural and the name is empty.
    """

    code: str
    severity: str
    text: str
    since: datetime | None = None
    subject: tuple[str, str] | None = None
    count: int = 1


def fold_problems(singles: Sequence[Problem], plural: str) -> Iterator[Problem]:
    """Yield one problem for several of one kind. singles: the worst first. plural: the text after the number."""
    if len(singles) <= 1:
        yield from singles
        return
    first = min(singles, key=lambda problem: SEVERITY_ORDER[problem.severity])
    names = [problem.subject[1] for problem in singles if problem.subject]
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    text = f"{len(singles):,} {plural}: {', '.join(names[:MAX_NAMES])}{more}."
    kind = f"{first.subject[0]}s" if first.subject else ""
    since = min((problem.since for problem in singles if problem.since), default=None)
    yield Problem(first.code, first.severity, text, since, (kind, ""), len(singles))


def waiting_text(count: int) -> str:
    """Format a number of waiting requests."""
    return "no request waits" if not count else "one request waits" if count == 1 else f"{count:,} requests wait"


def time_text(moment: datetime) -> str:
    """Format a time of day in UTC."""
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def duration_text(span: timedelta) -> str:
    """Format a duration in its largest suitable unit."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{span.days} days"
