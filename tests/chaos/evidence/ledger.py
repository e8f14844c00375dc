"""Read the ledger, in which the functions record each execution."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one line of the ledger.

    what: "start", "end" or "cleanup". at: monotonic seconds.
    """

    what: str
    id: str
    function: str
    attempt: int
    pid: int
    at: float


def read(path: Path) -> dict[str, list[Entry]]:
    """Return the entries of each request, in their written order."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    if path.exists():
        for line in path.read_text().splitlines():
            entry = Entry(**json.loads(line))
            entries[entry.id].append(entry)
    return entries
