"""The event loop of one worker process: it claims requests, has them run, and renews their leases.

invoke.py runs them. All else that a worker does is a task here. The pool sees a loop that stands still, kills the
process, and gives its requests back.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Sequence
from uuid import UUID

import psycopg

from workqueue.backoff import Backoff
from workqueue.database import error_summary, is_outage, outage_description
from workqueue.heartbeats.worker_activity import TICK_S, WorkerActivity
from workqueue.invocation.attempt import Attempt, State
from workqueue.lifecycle import Claim
from workqueue.outcomes import CancelledError, StoppingError
from workqueue.transport.doorbell import Bell
from workqueue.workers.leases import unreleased
from workqueue.workers.parts import Parts
from workqueue.workers.upkeep import Upkeep

log = logging.getLogger(__name__)

END_GRACE = signal.SIGUSR1  # sent by the pool after its second SIGTERM
FIRST_DELAY_S, MAX_DELAY_S = 0.1, 1.0  # between tries of a claim during an outage
LACKING_S = 0.5  # before a bell is rung again for a function that this pool lacks
MAX_END_S = 10.0  # for what follows the grace period: kill the sandboxes, give back


class Engine:
    """Run one worker until SIGTERM, and then until its requests have ended or the grace period is over."""

    def __init__(self, parts: Parts, upkeep: Upkeep, activity: WorkerActivity, grace_s: float) -> None:
        self._parts, self._upkeep, self._activity, self._grace_s = parts, upkeep, activity, grace_s
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._grace_ended = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._intake: list[asyncio.Task[None]] = []
        parts.on_unstarted = self._release_later

    async def run(self) -> None:
        """Run until the worker has stopped. An error of a task ends the worker, and its leases expire.

        The worker's name is part of the fencing token, so a new process cannot resume these claims by mistake.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(END_GRACE, self._grace_ended.set)
        parts = self._parts
        self._intake = [self._loop.create_task(each) for each in (self._listen(), self._look())]
        others = [
            parts.driver.supervise(),
            parts.driver.wait_for_failure(),
            parts.finisher.run(),
            parts.renewer.run(),
            parts.rq_status.run(),
            self._upkeep.run(),
            self._upkeep.follow_redis(),
        ]
        tasks = [*self._intake, *(self._loop.create_task(each) for each in others)]
        stopped = self._loop.create_task(self._run_until_stopped())
        await self._wait_for_end(stopped, tasks)
        for task in (stopped, *tasks):
            task.cancel()
        await asyncio.wait([stopped, *tasks])

    async def _wait_for_end(self, stopped: asyncio.Task[None], tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait until the worker has stopped. Raises the error of a task."""
        running = {stopped, *tasks}
        while not stopped.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()

    async def _listen(self) -> None:
        """Claim the requests for which bells are rung, as many as the worker can take."""
        while True:
            await self._upkeep.wait_until_open()
            count = await self._parts.wait_for_capacity()
            await self._claim(await self._parts.bells.next_bells(count))

    async def _look(self) -> None:
        """Claim due requests whose bell was not heard."""
        while True:
            await self._upkeep.wait_until_open()
            await self._claim(await self._parts.bells.overdue())

    async def _claim(self, request_ids: Sequence[UUID]) -> None:
        """Claim requests and let them run; wait through an outage of PostgreSQL."""
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        while request_ids:
            await self._upkeep.wait_until_open()  # the disk may have filled up while this worker listened
            try:
                async with self._claiming:  # until claims are taken over, the next call would return them again
                    await self._admit(await self._parts.claimer.claim(request_ids))
                    self._parts.claimer.settle()
            except psycopg.Error as error:
                if not is_outage(error):
                    raise
                fields = {"reason": outage_description(error), "error": error_summary(error)}
                log.warning("requests not claimed", extra=fields)
                await asyncio.sleep(backoff.next_s())
                continue
            return

    async def _admit(self, claims: Sequence[Claim]) -> None:
        """Let claimed requests run; give back those whose function this pool lacks."""
        functions = await self._parts.functions.read()
        known = [claim for claim in claims if claim.function_name in functions]
        self._parts.invoker.admit((claim, functions[claim.function_name]) for claim in known)
        self._parts.renewer.wake()
        if lacking := [claim for claim in claims if claim.function_name not in functions]:
            self._parts.functions.note_lacking(claim.function_name for claim in lacking)
            bells = await self._parts.claimer.release(lacking, self._grace_ended.is_set)
            self._loop.call_later(LACKING_S, self._ring, bells)

    def _release_later(self, attempts: Sequence[Attempt]) -> None:
        self._parts.driver.run_task(self._release(attempts))

    async def _release(self, attempts: Sequence[Attempt]) -> None:
        """Release attempts to the front of their queues, as if they had not been claimed."""
        bells = await self._parts.claimer.release([each.claim for each in attempts], self._grace_ended.is_set)
        others = unreleased(attempts, bells)
        for attempt in attempts:
            attempt.move(State.DONE if attempt in others else State.RELEASED)
            if attempt in others:  # a cancel came first, or the lease is lost: the write finds out which
                self._parts.conclusion.fail(attempt, CancelledError())
            else:
                self._parts.invoker.forget(attempt)
        self._ring(bells)

    def _ring(self, bells: Sequence[Bell]) -> None:
        self._loop.run_in_executor(None, self._parts.doorbell.ring, bells)

    async def tick(self) -> None:
        """Show the pool that the loop turns, once the interpreter of the functions runs: the worker is ready then."""
        await self._upkeep.prepare_interpreter()
        while True:
            self._activity.tick()
            await asyncio.sleep(TICK_S)

    def _stop(self) -> None:
        """Stop taking requests. A bell that is taken at this moment is lost; another worker finds its request."""
        if not self._stopping.is_set():
            log.info("stopping")
            self._stopping.set()
            self._loop.call_later(self._grace_s, self._grace_ended.set)

    async def _run_until_stopped(self) -> None:
        """Wait for SIGTERM; then wait for the requests that have started, and release the others at once."""
        await self._stopping.wait()
        self._parts.assignment.close()
        invoker = self._parts.invoker
        ends = self._loop.create_task(self._grace_ended.wait())
        intake_end = self._loop.create_task(self._end_intake())
        await asyncio.wait([intake_end, ends], return_when=asyncio.FIRST_COMPLETED)
        while invoker.held and not ends.done():
            if unstarted := invoker.take_unstarted():
                await self._release(unstarted)
            self._parts.released.clear()
            change = self._loop.create_task(self._parts.released.wait())
            await asyncio.wait([change, ends], return_when=asyncio.FIRST_COMPLETED, timeout=TICK_S)
            change.cancel()
        ends.cancel()
        if invoker.held:
            await self._give_up()
        if intake_end.done():
            intake_end.result()
        else:  # PostgreSQL does not answer
            intake_end.cancel()

    async def _end_intake(self) -> None:
        """Stop claiming; release requests that were claimed at this moment."""
        for task in self._intake:
            task.cancel()
        await asyncio.wait(self._intake)
        try:
            if claims := await self._parts.claimer.resume():
                self._ring(await self._parts.claimer.release(claims, self._grace_ended.is_set))
        except psycopg.Error as error:
            if not is_outage(error):
                raise
            log.warning("requests not released; their leases expire", extra={"error": error_summary(error)})

    async def _give_up(self) -> None:
        """End what still runs, and give it back. From now on no write waits for an unavailable database."""
        self._parts.finisher.has_given_up = True
        invoker, ends_at = self._parts.invoker, time.monotonic() + MAX_END_S
        for attempt in list(invoker.held.values()):
            invoker.interrupt(attempt, StoppingError())
        while invoker.held and time.monotonic() < ends_at:
            self._parts.released.clear()
            try:
                async with asyncio.timeout(TICK_S):
                    await self._parts.released.wait()
            except TimeoutError:
                continue
