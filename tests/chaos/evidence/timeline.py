"""Format the timeline of one request: its row, attempts, ledger lines, events and log lines."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.chaos.evidence.collect import Evidence

AROUND_S = 2.0
MAX_LINES = 300
HIDDEN = frozenset({"time", "level", "process", "logger", "message", "request_id"})


def timeline(evidence: Evidence, id: str, logs: Path) -> str:
    row = evidence.requests.get(id)
    if row is None:
        return f"request {id}: there is no such row"
    begun = evidence.clock.monotonic(row["created_at"])
    head = {name: str(value) for name, value in row.items() if value is not None}
    lines = [*_attempts(evidence, id), *_ledger(evidence, id), *_logged(evidence, id, logs)]
    last = max((at for at, _ in lines), default=begun)
    lines += _happened(evidence, begun - AROUND_S, last + AROUND_S)
    if id in evidence.record.cancelled:
        lines.append((evidence.record.cancelled[id], "client    cancel was answered 202"))
    if id in evidence.record.retried:
        lines.append((evidence.record.retried[id], "client    retry was asked for"))
    text = [f"{at - begun:9.3f}  {line}" for at, line in sorted(lines)]
    return "\n".join([f"request {id}", json.dumps(head, indent=1), *text[:MAX_LINES]])


def _attempts(evidence: Evidence, id: str) -> Iterator[tuple[float, str]]:
    for row in evidence.attempts.get(id, []):
        name = f"attempt {row['number']} of {row['worker']} (pid {evidence.workers.get(row['worker'])})"
        yield evidence.clock.monotonic(row["started_at"]), f"row       {name} claimed"
        if row["finished_at"] is not None:
            end = f"{row['outcome']} {row['error_type'] or ''} {row['error_message'] or ''}"
            yield evidence.clock.monotonic(row["finished_at"]), f"row       {name} closed: {end}"


def _ledger(evidence: Evidence, id: str) -> Iterator[tuple[float, str]]:
    for entry in evidence.entries.get(id, []):
        yield entry.at, f"ledger    {entry.what} of attempt {entry.attempt} in pid {entry.pid}"


def _happened(evidence: Evidence, start: float, end: float) -> Iterator[tuple[float, str]]:
    for found in evidence.event_log.between(start, end):
        lasting = f" for {found.until - found.at:.1f} s" if found.until > found.at else ""
        yield found.at, f"CHAOS     {found.kind}{lasting} {found.pid or ''} {found.detail}"


def _logged(evidence: Evidence, id: str, logs: Path) -> Iterator[tuple[float, str]]:
    for path in sorted(logs.glob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if id not in line or not line.startswith("{"):
                continue
            entry = json.loads(line)
            facts = {name: value for name, value in entry.items() if name not in HIDDEN}
            at = evidence.clock.monotonic(datetime.fromisoformat(entry["time"]))
            yield at, f"{path.stem:9} {entry['message']} {facts}"
