"""Check each promise (docs/explanation/promises.md) against the evidence of a run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.evidence.collect import Evidence, Row
from tests.chaos.workload import NEVER_COMPLETE, WRITING, may_end_with

TOLERANCE_S = 0.25  # difference of two clocks, and the time until the line is in the ledger
FORGETS_S = 1.0  # a commit that does not wait is on disk after three times wal_writer_delay, 200 ms each
ENDED = ("completed", "failed")
FULL = "fill disk"
FULL_UNTIL_S = 20.0  # a client waits 15 s for its answer, and space may be freed a few seconds late


@dataclass(frozen=True, slots=True)
class Violation:
    """Report a broken promise.

    id: its request, if there is one.
    """

    what: str
    id: str | None = None


Check = Callable[[Evidence], Iterable[Violation]]


def judge(evidence: Evidence) -> list[Violation]:
    return [violation for check in CHECKS for violation in check(evidence)]


def every_202_ended(evidence: Evidence) -> Iterator[Violation]:
    for id in sorted(evidence.record.ids):
        row = evidence.requests.get(id)
        if row is None:
            yield Violation("answered 202, and there is no such request", id)
    for id, row in evidence.requests.items():
        if row["status"] not in ENDED:
            yield Violation(f"it did not end: {row['status']}", id)


def one_result_per_completed(evidence: Evidence) -> Iterator[Violation]:
    for id, row in evidence.requests.items():
        if row["status"] == "completed" and row["result_attempt"] is None:
            yield Violation("completed without a result", id)
        elif row["status"] != "completed" and row["result_attempt"] is not None:
            yield Violation(f"{row['status']} with a result", id)
        elif row["status"] == "completed":
            yield from _result_is_right(evidence, id, row)


def _result_is_right(evidence: Evidence, id: str, row: Row) -> Iterator[Violation]:
    event, result = row["event"], row["result"]
    if row["function"] in NEVER_COMPLETE:
        yield Violation("completed, which this function cannot", id)
    if row["result_attempt"] != row["attempt"]:
        yield Violation(f"its result is by attempt {row['result_attempt']}, not {row['attempt']}", id)
    if result.get("attempt") != row["attempt"] or result.get("token") != event["token"]:
        yield Violation(f"the result is another attempt's or request's: {result}", id)
    if result.get("sha256") != event.get("sha256"):
        yield Violation("the upload that the function saw is not what was sent", id)
    ends = [entry for entry in evidence.entries.get(id, []) if entry.what == "end"]
    if not any(entry.attempt == row["attempt"] for entry in ends):
        yield Violation("no execution of the attempt that completed came to its end", id)


def output_files_are_whole(evidence: Evidence) -> Iterator[Violation]:
    for id, row in evidence.requests.items():
        files = evidence.files.get(id, [])
        expected = int(row["function"] == "writer" and row["status"] == "completed")
        if len(files) != expected:
            yield Violation(f"{len(files)} output files instead of {expected}", id)
        for file in files:
            if evidence.sha256_of(file) != file["sha256"]:
                yield Violation("the stored output file is gone or another", id)


def errors_are_expected(evidence: Evidence) -> Iterator[Violation]:
    for id, row in evidence.requests.items():
        if row["status"] != "failed" or row["error_type"] in may_end_with(row["function"]):
            continue
        if row["error_type"] == "OSError" and row["function"] in WRITING and _met_full_disk(evidence, id):
            continue
        yield Violation(f"failed with {row['error_type']}: {row['error_message']}", id)


def _met_full_disk(evidence: Evidence, id: str) -> bool:
    """Return True if the disk was full during the last attempt: writes fail until the reserve is released."""
    last = evidence.attempts[id][-1]
    span = (evidence.clock.monotonic(last["started_at"]), evidence.clock.monotonic(last["finished_at"]))
    return any(entry.kind == FULL for entry in evidence.event_log.between(*span))


def one_request_per_key(evidence: Evidence) -> Iterator[Violation]:
    for key, ids in evidence.record.keys.items():
        if len(ids) != 1 or evidence.keys.get(key) not in ids:
            yield Violation(f"key {key} was answered with {sorted(ids)}; it holds {evidence.keys.get(key)}")
    posted = Counter(row["event"].get("key") for row in evidence.requests.values())
    for key, count in posted.items():
        if key is not None and count > 1:
            yield Violation(f"{count} requests of key {key}")


def nothing_starts_after_the_end(evidence: Evidence) -> Iterator[Violation]:
    for id, row in evidence.requests.items():
        if row["finished_at"] is None:
            continue
        ended = evidence.clock.monotonic(row["finished_at"])
        for entry in evidence.starts(id):
            if entry.at > ended + TOLERANCE_S:
                yield Violation(f"attempt {entry.attempt} started {entry.at - ended:.2f} s after the request ended", id)


def no_attempt_starts_after_its_own_end(evidence: Evidence) -> Iterator[Violation]:
    for id in evidence.requests:
        ends = {row["number"]: row["finished_at"] for row in evidence.attempts.get(id, [])}
        for entry in evidence.starts(id):
            ended = ends.get(entry.attempt)
            if ended is not None and entry.at > evidence.clock.monotonic(ended) + TOLERANCE_S:
                late_s = entry.at - evidence.clock.monotonic(ended)
                yield Violation(f"attempt {entry.attempt} started {late_s:.2f} s after it was closed", id)


def no_attempt_starts_twice(evidence: Evidence) -> Iterator[Violation]:
    """Find attempts that started twice. After a crash of PostgreSQL, which may lose a claim, that is allowed."""
    for id in evidence.requests:
        for first, second in pairwise(sorted(evidence.starts(id), key=lambda entry: (entry.attempt, entry.at))):
            if first.attempt == second.attempt and not _crashed_between(evidence, first.at, second.at):
                yield Violation(f"attempt {first.attempt} was started twice", id)


def _crashed_between(evidence: Evidence, start: float, end: float) -> bool:
    events = evidence.event_log.between(start - FORGETS_S, end)
    return any(entry.kind in ("kill postgres", "away postgres", FULL) for entry in events)


def once_means_once(evidence: Evidence) -> Iterator[Violation]:
    for id, row in evidence.requests.items():
        count = len(evidence.starts(id))
        if row["function"] == "once" and count > 1:
            yield Violation(f'on_lost="fail", and it was started {count} times', id)


def cancelled_means_no_more(evidence: Evidence) -> Iterator[Violation]:
    for id, at in evidence.record.cancelled.items():
        row = evidence.requests.get(id)
        if row is None or id in evidence.record.retried:
            continue
        if row["status"] == "completed":
            yield Violation("its cancel was answered 202, and it completed", id)
        for attempt in evidence.attempts.get(id, []):
            late_s = evidence.clock.monotonic(attempt["started_at"]) - at
            if late_s > TOLERANCE_S:
                yield Violation(f"attempt {attempt['number']} was claimed {late_s:.2f} s after its cancel", id)


def attempts_are_closed(evidence: Evidence) -> Iterator[Violation]:
    for id, rows in evidence.attempts.items():
        for row in rows:
            if row["outcome"] is None or row["finished_at"] is None:
                yield Violation(f"attempt {row['number']} has no outcome", id)
        if [row["number"] for row in rows] != list(range(1, len(rows) + 1)):
            yield Violation(f"its attempts are {[row['number'] for row in rows]}", id)


def room_is_denied_only_while_there_is_none(evidence: Evidence) -> Iterator[Violation]:
    for at in evidence.record.full_at:
        if not any(entry.kind == FULL for entry in evidence.event_log.between(at - FULL_UNTIL_S, at)):
            yield Violation("answered 507 while the disk had room")


def answers_are_excusable(evidence: Evidence) -> Iterator[Violation]:
    for oddity in evidence.record.unexpected:
        yield Violation(f"an answer that nothing excuses: {oddity}")
    if evidence.record.given_up:
        yield Violation(f"{evidence.record.given_up} posts with a key were not accepted in a minute")


CHECKS: tuple[Check, ...] = (
    every_202_ended,
    one_result_per_completed,
    output_files_are_whole,
    errors_are_expected,
    one_request_per_key,
    nothing_starts_after_the_end,
    no_attempt_starts_after_its_own_end,
    no_attempt_starts_twice,
    once_means_once,
    cancelled_means_no_more,
    attempts_are_closed,
    room_is_denied_only_while_there_is_none,
    answers_are_excusable,
)
