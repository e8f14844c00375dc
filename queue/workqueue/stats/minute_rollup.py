"""Roll up ended requests by minute and function.

The leading scheduler stores each minute once, after its end. Readers add only the requests that ended since, so a read
costs the same however many requests the table holds.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from schema.engine import autocommit
from schema.statuses import ENDED_AS, End
from schema.tables.operations import depth_sample, minute_tally, tally_mark
from schema.tables.requests import processing_request
from workqueue.stats.histogram import BUCKETS_PER_DOUBLING, Histogram
from workqueue.stats.queue_depth import count_depths

RETENTION = timedelta(days=8)
MAX_BACKFILL = timedelta(days=1)  # before the first rollup
TRANSACTION_SPAN = timedelta(minutes=10)  # counted in one transaction
MAX_ITERATION_S = 1.0  # the next iteration does the rest
COMMIT_DELAY = timedelta(seconds=10)  # requests that end in a minute are committed at most this long after it
MAX_LIVE_SPAN = timedelta(minutes=5)  # readers count at most this much themselves if no scheduler leads

BUCKET_SQL = (
    f"floor({BUCKETS_PER_DOUBLING} * ln(greatest(extract(epoch FROM %s)::float8 * 1e6, 1)) / ln(2::float8))::int"
)
COUNT_ENDED = text(
    f"""
    SELECT date_trunc('minute', finished_at, 'UTC') AS minute, function, {ENDED_AS} AS ended_as,
        {BUCKET_SQL % "started_at - available_at"} AS wait, {BUCKET_SQL % "finished_at - started_at"} AS run,
        count(*) AS count
    FROM processing_request WHERE finished_at >= :since AND finished_at < :until
    GROUP BY 1, 2, 3, 4, 5
    """  # noqa: S608 - of constants
)


@dataclass(slots=True)
class FunctionMinute:
    """The ended requests of one function in one minute. waits, runs: histograms of durations.

    The histograms exclude cancelled requests: their durations depend on the client, not on the function.
    """

    minute: datetime
    function: str
    completed: int = 0
    failed: int = 0
    waits: Histogram = field(default_factory=dict)
    runs: Histogram = field(default_factory=dict)
    cancelled: int = 0

    def add(self, row: Any) -> None:
        """Add a row of COUNT_ENDED."""
        if row.ended_as == End.CANCELLED:
            self.cancelled += row.count
            return
        if row.ended_as == End.COMPLETED:
            self.completed += row.count
        else:
            self.failed += row.count
        for histogram, number in ((self.waits, row.wait), (self.runs, row.run)):
            if number is not None:
                histogram[number] = histogram.get(number, 0) + row.count


def count_ended(connection: Connection, since: datetime, until: datetime) -> list[FunctionMinute]:
    """Count the requests that ended from `since` until before `until`, by the index on finished_at."""
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    found: dict[tuple[datetime, str], FunctionMinute] = {}
    for row in connection.execute(COUNT_ENDED, {"since": since, "until": until}):
        key = row.minute, row.function
        found.setdefault(key, FunctionMinute(*key)).add(row)
    return list(found.values())


def roll_up(engine: Engine, now: datetime) -> None:
    """Store the minutes that are over, and the current queue depths. After a crash the next iteration repeats them."""
    started = time.monotonic()
    end = floor_to_minute(now - COMMIT_DELAY)
    with autocommit(engine) as connection:
        until = stored_until(connection)
    if until is not None and until >= end:
        return
    while time.monotonic() - started < MAX_ITERATION_S:
        with engine.begin() as connection:
            since = _lock_watermark(connection, now)
            until = min(since + TRANSACTION_SPAN, end)
            if until <= since:
                break
            _store_minutes(connection, count_ended(connection, since, until))
            connection.execute(tally_mark.update().values(until=until))
            if until == end:
                _store_depth_samples(connection, end, now)
    delete_before(engine, now - RETENTION)


def _lock_watermark(connection: Connection, now: datetime) -> datetime:
    """Lock the row of tally_mark, and return until when minutes are stored. Start with the first ended request."""
    ended_at = connection.execute(select(func.min(processing_request.c.finished_at))).scalar_one()
    first = {"until": floor_to_minute(max(now - MAX_BACKFILL, min(ended_at or now, now)))}
    connection.execute(upsert(tally_mark).values(first).on_conflict_do_nothing())
    found: datetime = connection.execute(select(tally_mark.c.until).with_for_update()).scalar_one()
    return found


def _store_minutes(connection: Connection, minutes: Iterable[FunctionMinute]) -> None:
    rows = [
        {
            "minute": each.minute,
            "function": each.function,
            "completed": each.completed,
            "failed": each.failed,
            "waits": each.waits,
            "runs": each.runs,
            "cancelled": each.cancelled,
        }
        for each in minutes
    ]
    if rows:
        connection.execute(insert(minute_tally), rows)


def _store_depth_samples(connection: Connection, minute: datetime, now: datetime) -> None:
    rows = [
        {"minute": minute, "queue": name, "depth": found.due} for name, found in count_depths(connection, now).items()
    ]
    if rows:
        connection.execute(upsert(depth_sample).on_conflict_do_nothing(), rows)


def delete_before(engine: Engine, before: datetime) -> None:
    """Delete minutes and queue depths older than `before`."""
    with engine.begin() as connection:
        connection.execute(delete(minute_tally).where(minute_tally.c.minute < before))
        connection.execute(delete(depth_sample).where(depth_sample.c.minute < before))


def read_minutes(connection: Connection, since: datetime, until: datetime) -> list[FunctionMinute]:
    """Return the stored minutes from `since` until before `until`."""
    columns = minute_tally.c
    statement = select(minute_tally).where(columns.minute >= since, columns.minute < until)
    return [
        FunctionMinute(
            minute=row.minute,
            function=row.function,
            completed=row.completed,
            failed=row.failed,
            waits=_with_int_keys(row.waits),
            runs=_with_int_keys(row.runs),
            cancelled=row.cancelled,
        )
        for row in connection.execute(statement)
    ]


def count_unstored(connection: Connection, until: datetime | None, now: datetime) -> list[FunctionMinute]:
    """Count the requests that ended since the last rollup, but at most those of MAX_LIVE_SPAN."""
    earliest = floor_to_minute(now - MAX_LIVE_SPAN)
    return count_ended(connection, max(until or earliest, earliest), now + COMMIT_DELAY)


def stored_until(connection: Connection) -> datetime | None:
    """Return until when minutes are stored; None before the first rollup. The leader advances it every minute."""
    found: datetime | None = connection.execute(select(tally_mark.c.until)).scalar_one_or_none()
    return found


def read_depth_samples(connection: Connection, since: datetime) -> list[tuple[datetime, str, int]]:
    """Return the stored queue depths since a time, as (minute, queue, depth)."""
    statement = select(depth_sample).where(depth_sample.c.minute >= since)
    return [(row.minute, row.queue, row.depth) for row in connection.execute(statement)]


def floor_to_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _with_int_keys(histogram: dict[str, int]) -> Histogram:
    return {int(number): found for number, found in histogram.items()}
