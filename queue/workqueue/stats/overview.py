"""Take snapshots of all statistics, and share each one among the clients of a web process."""

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema import revision
from schema.outage import Outage
from schema.tables.requests import import_failure, processing_request
from schema.tables.schedules import schedule
from workqueue.clock import Clock
from workqueue.database import is_outage
from workqueue.files.disk_space import Disk
from workqueue.files.store_watch import StoreWatch
from workqueue.functions.registry import ImportFailure
from workqueue.heartbeats import worker_heartbeats
from workqueue.heartbeats.worker_heartbeats import WorkerInfo
from workqueue.stats import minute_rollup, queue_depth
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.problem_texts import Problem
from workqueue.stats.problems import Facts, find_problems
from workqueue.stats.queue_depth import Depth, Queue
from workqueue.stats.time_series import hour_of, merge_minutes
from workqueue.transport import queue_pauses
from workqueue.transport.circuit_breaker import write_refusal
from workqueue.transport.doorbell import Doorbell

MAX_AGE_S = 1.0  # many browsers poll; they share a snapshot for this long
RECENT = timedelta(hours=1)
DAY = timedelta(hours=24)
WRITE_FAILURE_MEMORY_S = 60.0  # report a write failure for this long after the last failed write


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All statistics at one time.

    recent: the minutes of the last hour. hours: the last 24 hours, by function and hour. live: function → status →
    count of pending and processing requests. depths: samples of the last hour as (minute, queue, depth).
    """

    now: datetime
    recent: list[FunctionMinute] = field(default_factory=list)
    hours: list[FunctionMinute] = field(default_factory=list)
    live: dict[str, dict[str, int]] = field(default_factory=dict)
    queues: list[Queue] = field(default_factory=list)
    depths: list[tuple[datetime, str, int]] = field(default_factory=list)
    workers: list[WorkerInfo] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredMinutes:
    """Stored minutes and queue depths, cached until the next rollup. until: the end of the last stored minute."""

    until: datetime | None
    recent: list[FunctionMinute]
    hours: list[FunctionMinute]
    depths: list[tuple[datetime, str, int]]


class Overview:
    """Cache one snapshot per web process. Thread-safe.

    served: the queues in LOCALFN_QUEUES. retention_days: how long ended requests are kept; 0: forever. disk: the disk
    of LOCALFN_HOME on this machine. store_watch: of the file store.
    """

    def __init__(
        self,
        engine: Engine,
        doorbell: Doorbell,
        clock: Clock,
        served: tuple[str, ...],
        retention_days: float = 0,
        *,
        disk: Disk | None = None,
        store_watch: StoreWatch | None = None,
    ) -> None:
        self._disk, self._store_watch = disk, store_watch
        self._write_failures: dict[Outage, tuple[float, datetime]] = {}
        self._retention = timedelta(days=retention_days) if retention_days else None
        self._engine, self._doorbell, self._clock, self._served = engine, doorbell, clock, served
        self._lock = threading.Lock()
        self._stored: StoredMinutes | None = None
        self._snapshot: Snapshot | None = None
        self._taken_at = float("-inf")
        self._database_unavailable_since: datetime | None = None
        self._redis_unavailable_since: datetime | None = None
        self._redis_write_failure: tuple[str, datetime] | None = None

    def snapshot(self) -> Snapshot:
        """Return a snapshot that is at most MAX_AGE_S old.

        While the database is unavailable, return the last statistics, with a problem that names the outage.
        """
        with self._lock:
            if self._snapshot is None or time.monotonic() - self._taken_at >= MAX_AGE_S:
                self._snapshot = self._take_snapshot()
                self._taken_at = time.monotonic()
            return self._snapshot

    def queues(self) -> list[Queue]:
        """Return the queues of the snapshot with their current pauses, so that a client gets its own change."""
        paused = queue_pauses.list_pauses(self._engine)
        known = {queue.name: queue for queue in self.snapshot().queues}
        new = [Queue(name, Depth(), None, 0) for name in paused if name not in known]
        return [replace(queue, paused_at=paused.get(queue.name)) for queue in (*known.values(), *new)]

    def record_outage(self, outage: Outage) -> None:
        """Record that a write failed because the database is full or read-only: the overview's own reads still work."""
        if outage in (Outage.FULL, Outage.READ_ONLY):
            _, since = self._write_failures.get(outage, (0.0, self._clock.now()))
            self._write_failures[outage] = (time.monotonic(), since)

    def _recent_write_failures(self) -> dict[Outage, datetime]:
        """Return the recent write failures and their start. Forget those older than WRITE_FAILURE_MEMORY_S."""
        limit = time.monotonic() - WRITE_FAILURE_MEMORY_S
        self._write_failures = {outage: seen for outage, seen in self._write_failures.items() if seen[0] > limit}
        return {outage: since for outage, (_, since) in self._write_failures.items()}

    def _full_disk(self) -> tuple[str, int] | None:
        if self._disk is None or not self._disk.is_full():
            return None
        return str(self._disk.folder), self._disk.free_bytes()

    def invalidate(self) -> None:
        """Discard the snapshot after a change, so that the next caller gets the change."""
        self._taken_at = float("-inf")

    def _take_snapshot(self) -> Snapshot:
        self._check_redis()
        try:
            self._clock.refresh(self._engine)
            with self._engine.connect() as connection:
                self._database_unavailable_since = None
                return self._query(connection, self._clock.now())
        except (DBAPIError, PoolTimeoutError) as error:
            if not is_outage(error):
                raise
            return self._snapshot_during_outage()

    def _query(self, connection: Connection, now: datetime) -> Snapshot:
        stored = self._read_stored(connection, now)
        fresh = minute_rollup.count_unstored(connection, stored.until, now)
        found = queue_depth.add_uncounted(queue_depth.count_depths(connection, now), self._doorbell)
        workers = worker_heartbeats.list_recent(connection, now)
        serving = [worker.queues for worker in workers if worker.is_alive]
        queues = queue_depth.list_queues(found, queue_pauses.read(connection), self._served, serving)
        recent = stored.recent + fresh
        facts = Facts(
            now=now,
            full_disk=self._full_disk(),
            store_outage=self._store_watch.outage() if self._store_watch is not None else None,
            newer_revision=revision.newer_of(connection),
            write_failures=self._recent_write_failures(),
            redis_unavailable_since=self._redis_unavailable_since,
            redis_write_failure=self._redis_write_failure,
            workers=workers,
            queues=queues,
            rolled_up_until=stored.until,
            import_failures=[ImportFailure(**row) for row in connection.execute(select(import_failure)).mappings()],
            schedules=_failing_schedules(connection),
            retention=self._retention,
            oldest_ended_at=connection.execute(select(func.min(processing_request.c.finished_at))).scalar_one(),
            minutes=recent,
        )
        return Snapshot(
            now=now,
            recent=recent,
            hours=stored.hours + fresh,
            live=queue_depth.count_live_by_function(connection),
            queues=queues,
            depths=stored.depths
            + [(minute_rollup.floor_to_minute(now), queue.name, queue.depth.due) for queue in queues],
            workers=workers,
            problems=find_problems(facts),
        )

    def _read_stored(self, connection: Connection, now: datetime) -> StoredMinutes:
        until = minute_rollup.stored_until(connection)
        if self._stored is None or self._stored.until != until:
            day = (
                minute_rollup.read_minutes(connection, minute_rollup.floor_to_minute(now - DAY), until)
                if until is not None
                else []
            )
            self._stored = StoredMinutes(
                until=until,
                recent=[each for each in day if each.minute >= minute_rollup.floor_to_minute(now - RECENT)],
                hours=merge_minutes(day, hour_of),
                depths=minute_rollup.read_depth_samples(connection, minute_rollup.floor_to_minute(now - RECENT)),
            )
        return self._stored

    def _check_redis(self) -> None:
        try:
            self._doorbell.ping()
            self._redis_unavailable_since, self._redis_write_failure = None, None
        except RedisError as error:
            cause, now = write_refusal(error), self._clock.now()
            self._redis_write_failure = (
                (cause, self._redis_write_failure[1] if self._redis_write_failure else now) if cause else None
            )
            self._redis_unavailable_since = None if cause else self._redis_unavailable_since or now

    def _snapshot_during_outage(self) -> Snapshot:
        now = self._clock.now()
        self._database_unavailable_since = self._database_unavailable_since or now
        found = find_problems(
            Facts(
                now,
                database_unavailable_since=self._database_unavailable_since,
                full_disk=self._full_disk(),
                redis_unavailable_since=self._redis_unavailable_since,
                redis_write_failure=self._redis_write_failure,
            )
        )
        previous = self._snapshot or Snapshot(now)
        return Snapshot(
            now,
            previous.recent,
            previous.hours,
            previous.live,
            previous.queues,
            previous.depths,
            previous.workers,
            found,
        )


def _failing_schedules(connection: Connection) -> list[tuple[str, str]]:
    columns = schedule.c
    statement = select(columns.name, columns.error).where(columns.enabled, columns.error.is_not(None))
    return [(row.name, row.error) for row in connection.execute(statement.order_by(columns.name).limit(20))]
