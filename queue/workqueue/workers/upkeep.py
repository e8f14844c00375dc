"""What a worker does beside its requests: heartbeats, metrics, stale sandboxes, pauses."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from workqueue.clock import Clock
from workqueue.database import error_summary
from workqueue.files.disk_space import Disk
from workqueue.heartbeats import sandbox_snapshots, worker_heartbeats
from workqueue.invocation.sandbox_pool import SandboxPool
from workqueue.sandboxes import process_tree
from workqueue.telemetry import metric_store
from workqueue.telemetry.counters import Counters
from workqueue.workers.worker import Worker

log = logging.getLogger(__name__)

INTERVAL_S = 1.0  # of ending stale sandboxes and orphans, and between tries to start the interpreter
RQ_HEARTBEAT_S = 10.0
FIRST_ANSWER_S = 1.0  # how long the first request waits to learn of `rq suspend`
CLOSED_S = 1.0  # interval of the checks of a full disk, and for the end of `rq suspend`
KEEP_SNAPSHOT_S = 6.0  # an unchanged snapshot is stored again after this time


class Upkeep:
    """The upkeep of one worker. engine: for statements in threads, beside the connections of the event loop."""

    def __init__(
        self, engine: SyncEngine, clock: Clock, worker: Worker, pool: SandboxPool, disk: Disk, counters: Counters
    ) -> None:
        self._engine, self._clock, self._worker, self._pool = engine, clock, worker, pool
        self._disk, self._counters = disk, counters
        self._queues: Sequence[str] = [queue.name for queue in worker.queues]
        self._beat_at = self._rq_beat_at = self._snapshot_at = 0.0
        self._knows_redis = asyncio.Event()
        self._is_suspended = self._waits_for_disk = False
        self._snapshot: list[Any] = []

    async def run(self) -> None:
        """Do what is due, until it is cancelled."""
        while True:
            self._pool.end_stale()
            self._pool.kill_orphans()
            now = time.monotonic()
            if now >= self._beat_at:
                self._beat_at = now + worker_heartbeats.INTERVAL_S
                await asyncio.to_thread(self._beat)
            await self._store_snapshot(now)
            await asyncio.sleep(INTERVAL_S)

    async def prepare_interpreter(self) -> None:
        """Start the zygote. While the interpreter does not run, requests are tried, and given back."""
        is_logged = False
        while problem := await asyncio.wrap_future(self._pool.prepare()):
            if not is_logged:
                is_logged = True
                log.error("interpreter failed", extra={"error": problem})
            await asyncio.sleep(INTERVAL_S)

    async def wait_until_open(self) -> None:
        """Wait while the worker may take no request: the disk is full, or `rq suspend` stops it."""
        if not self._knows_redis.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._knows_redis.wait(), FIRST_ANSWER_S)
        while self._disk_is_full() or self._is_suspended:  # noqa: ASYNC110 - the disk tells no change
            await asyncio.sleep(CLOSED_S)

    def _disk_is_full(self) -> bool:
        """Return whether a request could not store its result."""
        is_full = self._disk.is_full()
        if is_full and not self._waits_for_disk:
            log.warning("disk full; no request started", extra={"path": str(self._disk.folder)})
        self._waits_for_disk = is_full
        return is_full

    async def follow_redis(self) -> None:
        """Send RQ's heartbeats and follow `rq suspend`, until it is cancelled. A frozen Redis delays only this."""
        while True:
            try:
                self._is_suspended = await asyncio.to_thread(self._worker.is_suspended)
                self._knows_redis.set()
                if time.monotonic() >= self._rq_beat_at:
                    await asyncio.to_thread(self._worker.send_heartbeat)
                    self._rq_beat_at = time.monotonic() + RQ_HEARTBEAT_S
            except RedisError as error:
                log.debug("Redis not reached", extra={"error": str(error)})
            except Exception:
                log.exception("RQ not told of the worker")  # its requests go on
            await asyncio.sleep(CLOSED_S)

    def _beat(self) -> None:
        worker_heartbeats.beat(self._engine, self._clock, self._worker.name, self._queues)
        metric_store.flush(self._engine, self._counters)

    async def _store_snapshot(self, now: float) -> None:
        """Store which sandboxes there are, if that has changed."""
        snapshot = self._pool.snapshot(self._worker.name)
        known = [(each.id, each.state) for each in snapshot]
        if known == self._snapshot and (not known or now < self._snapshot_at + KEEP_SNAPSHOT_S):
            return
        if now < self._snapshot_at + sandbox_snapshots.INTERVAL_S:
            return
        self._snapshot, self._snapshot_at = known, now
        await asyncio.to_thread(self._write_snapshot, snapshot)

    def _write_snapshot(self, snapshot: Sequence[sandbox_snapshots.SandboxSnapshot]) -> None:
        measured = [
            sandbox_snapshots.as_stored(each, memory_mb=round(process_tree.resident_mb(each.pid), 1))
            for each in snapshot
        ]
        try:
            sandbox_snapshots.store_snapshots(self._engine, self._worker.name, measured, self._clock.now())
        except (DBAPIError, PoolTimeoutError) as error:
            log.debug("sandboxes not stored", extra={"error": error_summary(error)})

    async def close(self) -> None:
        """Tell PostgreSQL and RQ that the worker ends in order."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        metric_store.flush(self._engine, self._counters)
        sandbox_snapshots.forget(self._engine, self._worker.name)
        worker_heartbeats.deregister(self._engine, self._worker.name)
        self._worker.deregister()
