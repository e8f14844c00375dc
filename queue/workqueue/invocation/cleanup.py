"""Phase 4, which always runs: the function's cleanup hook, then the working directory. It never changes the outcome."""

import asyncio
import logging
from concurrent.futures import Executor

from schema.statuses import Phase
from workqueue.clock import Clock
from workqueue.invocation import answers
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.attempt_files import describe
from workqueue.invocation.sandbox import Sandbox
from workqueue.invocation.sandbox_driver import SandboxDriver
from workqueue.outcomes import AttemptEndedError

log = logging.getLogger(__name__)

MAX_CLEANUP_S = 10.0  # for the hook; short, since it holds a sandbox


class Cleanup:
    """Clean up after the attempts of one worker. threads: for what blocks."""

    def __init__(self, driver: SandboxDriver, clock: Clock, threads: Executor) -> None:
        self._driver, self._clock, self._threads = driver, clock, threads

    async def run(self, attempt: Attempt, sandbox: Sandbox) -> None:
        """Run the hook and clear the working directory. Errors are stored with the attempt's phase."""
        attempt.phases.begin(Phase.CLEANUP)
        had_leftovers, attempt.leftovers = attempt.leftovers, ""
        try:
            if attempt.function.has_cleanup:
                await self._run_hook(attempt, sandbox)
            attempt.phases.end("ok")
        except AttemptEndedError as end:
            attempt.phases.end("failed", f"{end.error_type}: {end}")
            log.warning("cleanup failed", extra=attempt.log_fields() | {"error": str(end)})
        except OSError as error:  # the disk is full, or another fault of the machine
            attempt.phases.end("failed", f"{type(error).__name__}: {error}")
            log.warning("cleanup failed", extra=attempt.log_fields() | {"error": str(error)})
        if attempt.leftovers or had_leftovers:
            await self.end_sandbox(sandbox)
        if not sandbox.leaves_directory_clean or sandbox.is_ending:
            await self._remove_directory(sandbox)

    async def end_sandbox(self, sandbox: Sandbox) -> None:
        """Kill a sandbox that must not be used again, unless it has ended."""
        await self._driver.end(sandbox)

    async def discard(self, sandbox: Sandbox) -> None:
        """Kill a sandbox and remove its working directory."""
        await self.end_sandbox(sandbox)
        await self._remove_directory(sandbox)

    async def _remove_directory(self, sandbox: Sandbox) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, sandbox.directory.remove)

    async def _run_hook(self, attempt: Attempt, sandbox: Sandbox) -> None:
        if not sandbox.is_ending:
            await self._ask(attempt, sandbox, sandbox)
            return
        # Killed: a fresh sandbox runs the hook, in the working directory of the other one.
        fresh = await self._driver.pool.start(attempt.function)
        fresh.sent.append(attempt)
        try:
            await self._driver.load(fresh)
            await self._ask(attempt, fresh, sandbox)
        finally:
            await self.end_sandbox(fresh)
            fresh.sent.clear()
            fresh.close()

    async def _ask(self, attempt: Attempt, sandbox: Sandbox, owner: Sandbox) -> None:
        """Let a sandbox run the hook. owner: the sandbox whose working directory the request had."""
        directory = owner.directory
        directory.prepare(is_started=True)
        deadline = self._clock.seconds_from_now(MAX_CLEANUP_S).timestamp()
        head = {"type": "cleanup", "workdir": str(directory.path), "deadline": deadline, "remaining_s": MAX_CLEANUP_S}
        head |= describe(attempt, directory.path)
        sandbox.set_deadline(MAX_CLEANUP_S, "while cleaning up")
        sandbox.connection.send(head, attempt.cleanup_event or attempt.claim.event.encode())
        self._driver.watch(sandbox)
        answer = await sandbox.ask()
        sandbox.clear_deadline()
        answers.record_leftovers(attempt, answer, self._clock.now())
        if answer.head.get("has_children"):
            attempt.leftovers = attempt.leftovers or "a child process"
        if answer.type != "done":
            raise answers.failure_from(answer)
