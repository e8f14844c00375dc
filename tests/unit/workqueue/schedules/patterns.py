"""Generate schedule expressions together with their meaning, without a parser."""

from dataclasses import dataclass
from datetime import datetime

from hypothesis import strategies as st

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/Nuuk",
    "America/Santiago",
    "Asia/Beirut",
    "Pacific/Apia",
    "Pacific/Chatham",
)

Field = tuple[str, frozenset[int]]


@dataclass(frozen=True)
class Pattern:
    """Hold an expression and its meaning.

    weekdays: Monday is 0; None: all. is_wildcard: minute or hour begins with a star.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int] | None = None

    @property
    def is_aws(self) -> bool:
        return self.text.startswith("cron(")

    @property
    def is_wildcard(self) -> bool:
        return any(field.startswith("*") for field in self.text.split()[:2])

    def names(self, local: datetime) -> bool:
        if local.minute not in self.minutes or local.hour not in self.hours:
            return False
        return self.weekdays is None or local.weekday() in self.weekdays


@st.composite
def field(draw: st.DrawFn, low: int, high: int) -> Field:
    """Make a field as text, and its meaning."""
    kind = draw(st.sampled_from(("all", "step", "range", "list")))
    first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    step = draw(st.integers(1, 30))
    if kind == "all":
        return "*", frozenset(range(low, high + 1))
    if kind == "step":
        return f"*/{step}", frozenset(range(low, high + 1, step))
    if kind == "range":
        return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))
    values = draw(st.sets(st.integers(low, high), min_size=1, max_size=4))
    return ",".join(map(str, sorted(values))), frozenset(values)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    """Make an expression of either dialect."""
    minute, minutes = draw(field(0, 59))
    hour, hours = draw(st.one_of(st.just(("*", frozenset(range(24)))), field(0, 23)))
    days = draw(st.one_of(st.none(), st.sets(st.integers(0, 6), min_size=1)))
    weekdays = None if days is None else frozenset(days)
    if draw(st.booleans()):
        text = "*" if days is None else ",".join(str((day + 1) % 7) for day in days)
        return Pattern(f"{minute} {hour} * * {text}", minutes, hours, weekdays)
    text = "* * ?" if days is None else "? * " + ",".join(str((day + 1) % 7 + 1) for day in days)
    return Pattern(f"cron({minute} {hour} {text} *)", minutes, hours, weekdays)
