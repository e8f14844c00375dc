"""Parts of the statements that store attempts: many at once, each a JSON object of one array."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from schema.engine import to_json
from workqueue.files.store import StoredFile
from workqueue.lifecycle.attempt_data import AttemptRecord, Claim, LogLine, PhaseRecord

# Lines may be stored already, if the answer to the write that stored them was lost. The statement has updated or locked
# the row of the request, so no other transaction can delete it meanwhile.
INSERT_LINES = """
        INSERT INTO request_log (request_id, attempt, number, time, stream, line)
        SELECT d.id, d.attempt, (l ->> 0)::int, (l ->> 1)::timestamptz, l ->> 2, l ->> 3
        FROM {attempts} d, json_array_elements(d.lines) AS l
        ON CONFLICT DO NOTHING
    """
# The columns of earlier_attempt, and those of a request's row that belong to its last attempt.
EARLIER_COLUMNS = """request_id, number, outcome, worker, started_at, finished_at, phases, cold_start, init_ms,
            max_rss_mb, error_type, error_message, traceback"""
CLEAR_ATTEMPT = """outcome = NULL, phases = NULL, cold_start = NULL, init_ms = NULL, max_rss_mb = NULL,
            traceback = NULL, current_lines = NULL"""


def array_of(rows: Iterable[dict[str, Any]]) -> str:
    """Return a JSON array of rows, sorted by id: every statement locks rows in this order."""
    return to_json(sorted(rows, key=lambda row: str(row["id"])))


def token_of(claim: Claim) -> dict[str, Any]:
    """Return the part of the fencing token that differs between the attempts of one worker."""
    return {"id": str(claim.request_id), "attempt": claim.attempt}


def ended_attempt(claim: Claim, record: AttemptRecord) -> dict[str, Any]:
    """Return the values of an attempt that has ended. An absent one is null in SQL."""
    values = {
        "phases": pack_phases(record.phases),
        "cold_start": record.cold_start,
        "init_ms": record.init_ms,
        "max_rss_mb": record.max_rss_mb,
        "lines": pack_lines(record.lines),
    }
    return token_of(claim) | {name: value for name, value in values.items() if value is not None}


def pack_lines(lines: Sequence[LogLine]) -> list[tuple[int, str, str, str]] | None:
    return [(line.number, line.time.isoformat(), line.stream, line.line) for line in lines] or None


def pack_files(files: Sequence[StoredFile]) -> list[dict[str, Any]]:
    return [asdict(file) for file in files]


def pack_phases(phases: Iterable[PhaseRecord]) -> list[Sequence[Any]]:
    """Return phases as arrays: [phase, start in µs since 1970, duration in µs, outcome, error].

    They take a quarter of the room of objects. The view request_attempt shows objects. An open phase has no duration.
    """
    return [_pack_phase(each) for each in phases]


def _pack_phase(phase: PhaseRecord) -> Sequence[Any]:
    if phase.duration_us is None:
        return phase[:2]
    return phase[:4] if phase.error is None else phase
