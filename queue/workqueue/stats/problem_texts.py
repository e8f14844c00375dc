"""Put problems into sentences: one of a kind in full, several of a kind as one line. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_NAMES = 3  # of one kind in a line
SEVERITY_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """severity: error, warning or info. subject: its object as (kind, name), for a link.

    count: of how many things of its kind it tells; the kind is in the plural then, and has no name.
    """

    code: str
    severity: str
    text: str
    since: datetime | None = None
    subject: tuple[str, str] | None = None
    count: int = 1


def fold_problems(singles: Sequence[Problem], plural: str) -> Iterator[Problem]:
    """Yield one problem for all of a kind. singles: the worst first; plural: what follows their number."""
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
    return "nothing waits" if not count else "one request waits" if count == 1 else f"{count:,} requests wait"


def time_text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def duration_text(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{span.days} days"
