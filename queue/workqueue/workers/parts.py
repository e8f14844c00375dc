"""The parts of a worker's engine, wired once at its start."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from uuid import UUID

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from schema.async_database import AsyncDatabase
from schema.statuses import Status
from workqueue.clock import Clock
from workqueue.files.working_directory import WorkingDirectory
from workqueue.functions.function_reader import FunctionReader
from workqueue.functions.registry import pool_name
from workqueue.functions.schema_checker import SchemaChecker
from workqueue.heartbeats.session_names import Process, session_name
from workqueue.invocation.assignment import Assignment
from workqueue.invocation.attempt import Attempt, State
from workqueue.invocation.cleanup import Cleanup
from workqueue.invocation.conclusion import Conclusion
from workqueue.invocation.finisher import Ending, Finisher, claim_log_fields
from workqueue.invocation.sandbox_driver import SandboxDriver
from workqueue.invocation.sandbox_pool import SandboxPool
from workqueue.invoke import Invoker
from workqueue.logs.spool_file import SpoolFile
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.memory import FreeMemory, free_mb
from workqueue.sandboxes.zygote import Zygote
from workqueue.telemetry import AttemptFinished, Observers
from workqueue.transport.doorbell import Doorbell, rq_queue
from workqueue.transport.job_fetcher import JobFetcher
from workqueue.transport.rq_status import FinishedJob, RqStatusReporter
from workqueue.workers.bell_listener import BellListener
from workqueue.workers.leases import Claimer, LeaseRenewer
from workqueue.workers.pool_config import PoolConfig

log = logging.getLogger(__name__)

THREADS = 4  # for files, large results and schemas: they wait for a disk or another process
IDLE_SANDBOXES = 20  # kept warm at least, however few requests may run at the same time


class Parts:
    """Wire the parts of one worker. Made in its event loop."""

    def __init__(
        self, config: PoolConfig, worker: str, clock: Clock, observers: Observers, interpreter: Interpreter
    ) -> None:
        self.on_unstarted: Callable[[Sequence[Attempt]], None]  # set by the engine
        self.released = asyncio.Event()  # an attempt was released, so the worker has more capacity
        self._observers = observers
        self.claims = AsyncDatabase(config.database_url, session_name(Process.WORKER))
        self.ends = AsyncDatabase(config.database_url, session_name(Process.WORKER))
        self.functions = FunctionReader(self.claims, pool_name(config.functions))
        # A short timeout: Redis is needed for status, announcements and released bells.
        redis = Redis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=1)
        async_redis = AsyncRedis.from_url(config.redis_url, socket_connect_timeout=1, socket_timeout=None)
        self.doorbell = Doorbell(redis)
        self.rq_status = RqStatusReporter(async_redis, redis, worker)
        self.threads = ThreadPoolExecutor(THREADS, "blocking")
        self.checker = SchemaChecker(config.lease_s / 2)
        self.pool = _make_pool(config, worker, interpreter, self.checker)
        self.assignment = Assignment(self.pool, config.slots, config.cores)
        self.driver = SandboxDriver(self.pool, clock.now)
        self.conclusion = Conclusion(
            Cleanup(self.driver, clock, self.threads), clock, config.store, self.threads, self._report, self._forget
        )
        self.finisher = self.conclusion.finisher = Finisher(
            self.ends, clock, self._has_company, self.conclusion.on_stored, self.conclusion.on_rejected
        )
        self.invoker = self.driver.listener = Invoker(
            clock,
            config.lease_s,
            config.store,
            self.threads,
            self.checker,
            self.driver,
            self.assignment,
            self.conclusion,
            lambda attempts: self.on_unstarted(attempts),  # noqa: PLW0108 - set later
        )
        self.claimer = Claimer(self.claims, clock, worker, config.lease_s, self._held_ids)
        self.renewer = LeaseRenewer(
            self.claims, clock, config.lease_s, self._held, self._on_extended, self.invoker.interrupt
        )
        keys = [rq_queue(name, redis).key for name in config.queues]
        self.bells = BellListener(
            JobFetcher(async_redis, keys),
            redis,
            worker,
            self.claims,
            clock,
            config.queues,
            self.assignment.free_count,
            self.functions.lacking,
        )

    async def wait_for_capacity(self) -> int:
        """Return how many requests the worker can take, once it is at least one."""
        while not (count := self.assignment.free_count()):
            self.released.clear()
            await self.released.wait()
        return count

    async def close(self) -> None:
        """End the sandboxes, and close the connections."""
        await self.rq_status.flush()
        await asyncio.to_thread(self.pool.close)
        self.checker.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
        self._observers.close()
        await self.claims.close()
        await self.ends.close()

    def _held(self) -> list[Attempt]:
        return list(self.invoker.held.values())

    def _held_ids(self) -> list[UUID]:
        return list(self.invoker.held)

    def _has_company(self) -> bool:
        """Return whether requests run whose ends may come within a moment."""
        return any(attempt.state is not State.DONE for attempt in self.invoker.held.values())

    def _forget(self, attempt: Attempt) -> None:
        self.invoker.forget(attempt)
        self.released.set()

    def _on_extended(self, attempts: Sequence[Attempt]) -> None:
        """Show long requests as started: short ones have one log line, at their end."""
        started = [attempt for attempt in attempts if not attempt.is_reported]
        for attempt in started:
            attempt.is_reported = True
            log.info("attempt started", extra=attempt.log_fields())
        if started:
            self.rq_status.report_started([attempt.claim.job for attempt in started])

    def _report(self, endings: Sequence[Ending], now: datetime) -> None:
        """Report ends that are stored: to RQ, waiting clients, the observers and the log."""
        finished = [AttemptFinished(each.attempt.claim, each.attempt.record, each.status) for each in endings]
        self.rq_status.report_finished([_finished_job(each) for each in finished], now)
        self._observers.on_finished(finished, now)
        outcome = {"outcome": finished[0].record.outcome, "status": finished[0].status}
        log.info("attempt ended", extra=claim_log_fields([each.claim for each in finished]) | outcome)


def _make_pool(config: PoolConfig, worker: str, interpreter: Interpreter, checker: SchemaChecker) -> SandboxPool:
    return SandboxPool(
        Zygote(interpreter),
        FreeMemory(free_mb),
        max_idle=max(config.slots, IDLE_SANDBOXES),
        max_body=2 * config.max_result_bytes + 1024 * 1024,
        make_directory=partial(WorkingDirectory, config.work_folder, worker, config.account),
        make_spool=partial(SpoolFile, config.spool_folder, worker),
        other_children=checker.pids,
    )


def _finished_job(finished: AttemptFinished) -> FinishedJob:
    record = finished.record
    if finished.status is not Status.FAILED:
        return FinishedJob(finished.claim.job)
    return FinishedJob(finished.claim.job, record.traceback or f"{record.error_type}: {record.error_message}")
