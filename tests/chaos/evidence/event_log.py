"""What happened and when: everything that the parts of a run write down, on one monotonic clock."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Happening:
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
class Story:
    """Keep what many threads write. left_out: the kinds of faults that this machine does not allow."""

    happenings: list[Happening] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, kind: str, *, lasts_s: float = 0.0, pid: int | None = None, detail: str = "", disturbs: bool = True
    ) -> None:
        now = time.monotonic()
        self._add(Happening(now, now + lasts_s, kind, pid, detail, disturbs))

    def add_restart(self, name: str, lasts_s: float, detail: str) -> None:
        """What follows a fault and is none."""
        now = time.monotonic()
        self._add(Happening(now, now + lasts_s, f"{name} started again", detail=detail, is_fault=False))

    def _add(self, happening: Happening) -> None:
        with self._lock:
            self.happenings.append(happening)

    def faults(self) -> Counter[str]:
        return Counter(happening.kind for happening in self.happenings if happening.is_fault)

    def between(self, start: float, end: float) -> Iterable[Happening]:
        """In order of time: those that overlap this span."""
        found = [happening for happening in self.happenings if happening.at <= end and happening.until >= start]
        return sorted(found, key=lambda happening: happening.at)


@dataclass(frozen=True, slots=True)
class WallClock:
    """Turns the database's times into this machine's monotonic ones; both servers are on this machine."""

    offset_s: float

    @classmethod
    def read(cls) -> "WallClock":
        return cls(datetime.now(UTC).timestamp() - time.monotonic())

    def monotonic(self, moment: datetime) -> float:
        return moment.timestamp() - self.offset_s

    def moment(self, monotonic: float) -> datetime:
        return datetime.fromtimestamp(monotonic + self.offset_s, UTC)
