"""Log the events of a run on one monotonic clock."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """kind: for counting, such as "kill worker". until: when it had ended, on the monotonic clock. pid: whom it hit.

    disturbs: whether recovery from something else may take longer for it.
    """

    at: float
    until: float
    kind: str
    pid: int | None = None
    detail: str = ""
    disturbs: bool = True
    is_fault: bool = True


@dataclass
class EventLog:
    """Hold events of many threads.

    left_out: kinds of faults that this machine does not allow.
    """

    events: list[LoggedEvent] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, kind: str, *, lasts_s: float = 0.0, pid: int | None = None, detail: str = "", disturbs: bool = True
    ) -> None:
        now = time.monotonic()
        self._add(LoggedEvent(now, now + lasts_s, kind, pid, detail, disturbs))

    def add_restart(self, name: str, lasts_s: float, detail: str) -> None:
        """Log a restart, which follows a fault and is not one."""
        now = time.monotonic()
        self._add(LoggedEvent(now, now + lasts_s, f"{name} started again", detail=detail, is_fault=False))

    def _add(self, entry: LoggedEvent) -> None:
        with self._lock:
            self.events.append(entry)

    def faults(self) -> Counter[str]:
        return Counter(entry.kind for entry in self.events if entry.is_fault)

    def between(self, start: float, end: float) -> Iterable[LoggedEvent]:
        """Return the events that overlap this span, by time."""
        found = [entry for entry in self.events if entry.at <= end and entry.until >= start]
        return sorted(found, key=lambda entry: entry.at)


@dataclass(frozen=True, slots=True)
class WallClock:
    """Convert times of the database to monotonic times; both run on this machine."""

    offset_s: float

    @classmethod
    def read(cls) -> "WallClock":
        return cls(datetime.now(UTC).timestamp() - time.monotonic())

    def monotonic(self, moment: datetime) -> float:
        return moment.timestamp() - self.offset_s

    def moment(self, monotonic: float) -> datetime:
        return datetime.fromtimestamp(monotonic + self.offset_s, UTC)
