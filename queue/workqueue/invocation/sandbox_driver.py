"""Drive the sandboxes of a worker from its event loop: read what they send, watch their limits, end them."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from workqueue.invocation import answers
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.failure import sandbox_unavailable
from workqueue.invocation.sandbox import Sandbox
from workqueue.invocation.sandbox_pool import EXIT_GRACE_S, SandboxPool
from workqueue.invocation.sizing import SLOW_S
from workqueue.outcomes import AttemptEndedError, OutOfMemoryError, SandboxExitedError
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.connection import LAST_FRAMES, PROTOCOL_ERROR, Disconnected, Frame, Message, Output
from workqueue.sandboxes.exits.exit_status import sandbox_exit_message
from workqueue.sandboxes.exits.memory_watch import OomKills

log = logging.getLogger(__name__)

MAX_START_S = 60.0  # for the interpreter and the imports of user code
MEASURE_S = 0.1  # between two checks of the memory of all sandboxes at work; longer if there are many
MEASUREMENTS_PER_S = 500


class Listener(Protocol):
    """Receive the events of sandboxes."""

    def dispatch(self) -> None:
        """Check whether another sandbox can be started: memory may be free now, or a start takes long."""

    def answered(self, sandbox: Sandbox, frame: Frame) -> None:
        """Handle the last frame about the first attempt of a sandbox."""

    def is_slow(self, sandbox: Sandbox) -> None:
        """Handle a first attempt that runs for SLOW_S."""

    def ended(self, sandbox: Sandbox, reason: BaseException) -> None:
        """Handle a sandbox that was killed for a reason, or that ended by itself."""


class SandboxDriver:
    """Drive sandboxes. `listener` is set by the receiver of the events."""

    listener: Listener

    def __init__(self, pool: SandboxPool, now: Callable[[], Any]) -> None:
        """now: the time of the clock, for lines of output."""
        self.pool = pool
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._watched: set[Sandbox] = set()
        self._slow: set[Sandbox] = set()  # whose output is read as it comes
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self._wakeup = asyncio.Event()
        self._measured_at = 0.0
        self._oom_kills = OomKills()

    def run_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the hot path. Its error is one of the runtime, and ends the worker."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def wait_for_failure(self) -> None:
        """Wait until a task fails, and raise its error."""
        await self._failure

    def watch(self, sandbox: Sandbox) -> None:
        """Read the messages of a sandbox, until `unwatch`."""
        if sandbox not in self._watched:
            self._watched.add(sandbox)
            self._loop.add_reader(sandbox.connection.socket, self.receive, sandbox)
            if sandbox.pidfd is not None:
                self._loop.add_reader(sandbox.pidfd, self._exited, sandbox)
        if sandbox.connection.has_unsent:
            self._loop.add_writer(sandbox.connection.socket, self._flush, sandbox)
        self._wakeup.set()

    def unwatch(self, sandbox: Sandbox) -> None:
        """Stop reading from a sandbox."""
        if sandbox not in self._watched:
            return
        self._watched.remove(sandbox)
        self._loop.remove_reader(sandbox.connection.socket)
        self._loop.remove_writer(sandbox.connection.socket)
        self.read_output_late(sandbox)
        if sandbox.pidfd is not None:
            self._loop.remove_reader(sandbox.pidfd)

    def read_output_late(self, sandbox: Sandbox) -> None:
        """Read output only together with answers, from now on."""
        if sandbox in self._slow:
            self._slow.discard(sandbox)
            for stream in sandbox.connection.outputs.streams:
                self._loop.remove_reader(stream.fd)

    async def load(self, sandbox: Sandbox) -> None:
        """Wait until a new sandbox has imported its function. Raises AttemptEndedError, OSError."""
        sandbox.set_deadline(MAX_START_S, "while importing its module")
        self.watch(sandbox)
        answer = await sandbox.ask()
        if answer.type != "ready":
            raise answers.failure_from(answer)
        sandbox.ready = answer.head

    def receive(self, sandbox: Sandbox) -> None:
        """Handle the messages of a sandbox."""
        for message in sandbox.connection.receive():
            if not sandbox.is_ending:
                self._handle(sandbox, message)

    def kill(self, sandbox: Sandbox, reason: BaseException) -> None:
        """Kill a sandbox with all its descendants; then tell the listener. The first reason counts."""
        if not sandbox.is_ending:
            sandbox.is_ending = True
            self.run_task(self._kill(sandbox, reason))

    async def end(self, sandbox: Sandbox) -> None:
        """Kill a sandbox that is not needed any longer, and keep its output. Return when its processes are gone."""
        if sandbox.is_ending:
            await sandbox.ended.wait()
            return
        sandbox.is_ending = True
        self.unwatch(sandbox)
        _, status = await self.pool.end(sandbox)
        self._drain(sandbox, status)
        sandbox.ended.set()

    async def supervise(self) -> None:
        """Watch deadlines and memory of the sandboxes at work, until it is cancelled."""
        while True:
            if not self._watched:
                self._wakeup.clear()
                await self._wakeup.wait()
            await asyncio.sleep(self._check_all())

    def _check_all(self) -> float:
        """Check all sandboxes at work; return the seconds until the next check."""
        now = time.monotonic()
        interval_s = max(MEASURE_S, len(self._watched) / MEASUREMENTS_PER_S)
        measures = now - self._measured_at >= interval_s
        if measures:
            self._measured_at = now
            self._oom_kills.read()
            self.listener.dispatch()
        next_at = self._measured_at + interval_s
        for sandbox in list(self._watched):
            if sandbox.is_ending or not sandbox.sent:
                continue
            slow_at = sandbox.running_since + SLOW_S
            oom_kills = self._oom_kills if measures and now > slow_at else None
            if (reason := sandbox.reason_to_kill(now, oom_kills)) is not None:
                self.kill(sandbox, reason)
            elif sandbox.pidfd is None and process_tree.has_ended(sandbox.pid, 0):
                self._exited(sandbox)
            elif now >= slow_at:
                self._read_output_early(sandbox)
                self.listener.is_slow(sandbox)
            next_at = min(next_at, sandbox.ends_at, slow_at if now < slow_at else next_at)
        return max(0.001, next_at - now)

    def _read_output_early(self, sandbox: Sandbox) -> None:
        """Read the output of a long request as it comes. That of a short one comes with its answer."""
        if sandbox in self._slow:
            return
        self._slow.add(sandbox)
        for stream in sandbox.connection.outputs.streams:
            if stream.is_open:
                self._loop.add_reader(stream.fd, self._read_output, sandbox)

    def _read_output(self, sandbox: Sandbox) -> None:
        for message in sandbox.connection.read_output():
            self._handle(sandbox, message)
        for stream in sandbox.connection.outputs.streams:
            if not stream.is_open:
                self._loop.remove_reader(stream.fd)

    def _flush(self, sandbox: Sandbox) -> None:
        sandbox.connection.flush()
        if not sandbox.connection.has_unsent:
            self._loop.remove_writer(sandbox.connection.socket)

    def _exited(self, sandbox: Sandbox) -> None:
        """Handle the end of the process: a child that user code forked may hold its socket open."""
        for message in sandbox.connection.receive_all():  # a result that was sent before the end counts
            if not sandbox.is_ending:
                self._handle(sandbox, message)

    def _handle(self, sandbox: Sandbox, message: Message) -> None:
        attempt = sandbox.first
        if isinstance(message, Disconnected):
            self._lose(sandbox, message)
        elif isinstance(message, Output):
            if attempt is not None:
                attempt.log_buffer.feed(message.stream, message.data, self._now())
        elif message.type in LAST_FRAMES:
            self._handle_last(sandbox, message)
        elif message.type == "started":
            sandbox.has_started = True
        elif attempt is not None and _is_about(attempt, message):
            answers.record_event(attempt, message)

    def _handle_last(self, sandbox: Sandbox, frame: Frame) -> None:
        attempt = sandbox.first
        if attempt is None or not _is_about(attempt, frame):  # threads of an earlier request may still send
            self._lose(sandbox, Disconnected(PROTOCOL_ERROR))
        elif sandbox.waiter is not None and not sandbox.waiter.done():
            sandbox.waiter.set_result(frame)
        elif sandbox.is_held or sandbox.ready is None:  # it has answered: user code sends another answer
            self._lose(sandbox, Disconnected(PROTOCOL_ERROR))
        else:
            self.listener.answered(sandbox, frame)

    def _lose(self, sandbox: Sandbox, disconnect: Disconnected) -> None:
        if not sandbox.is_ending:
            sandbox.is_ending = True
            self.run_task(self._end_lost(sandbox, disconnect))

    async def _kill(self, sandbox: Sandbox, reason: BaseException) -> None:
        self.unwatch(sandbox)
        _, status = await self.pool.end(sandbox)
        self._drain(sandbox, status)
        self._tell_end(sandbox, reason)

    async def _end_lost(self, sandbox: Sandbox, disconnect: Disconnected) -> None:
        """Kill a sandbox that has disconnected, and tell the listener the cause."""
        self.unwatch(sandbox)
        breaks_protocol = disconnect.why == PROTOCOL_ERROR
        has_ended, status = await self.pool.end(sandbox, 0.0 if breaks_protocol else EXIT_GRACE_S)
        self._drain(sandbox, status)
        self._tell_end(sandbox, _explain(sandbox, has_ended=has_ended, status=status, breaks_protocol=breaks_protocol))

    def _drain(self, sandbox: Sandbox, status: int) -> None:
        attempt = sandbox.first
        for message in sandbox.connection.drain():
            if isinstance(message, Output) and attempt is not None:
                attempt.log_buffer.feed(message.stream, message.data, self._now())
        fields = attempt.log_fields() if attempt is not None else {}
        log.info("sandbox ended", extra=fields | {"exit_status": status})

    def _tell_end(self, sandbox: Sandbox, reason: BaseException) -> None:
        sandbox.ended.set()
        if sandbox.waiter is not None and not sandbox.waiter.done():
            sandbox.waiter.set_exception(reason)
        else:
            self.listener.ended(sandbox, reason)


def _is_about(attempt: Attempt, frame: Frame) -> bool:
    return bool(frame.head.get("request_id", str(attempt.request_id)) == str(attempt.request_id))


def _explain(sandbox: Sandbox, *, has_ended: bool, status: int, breaks_protocol: bool) -> AttemptEndedError:
    """Return the outcome of the attempt whose sandbox disconnected. has_ended: by itself."""
    activity = sandbox.describe_activity()
    watch = sandbox.watch
    measured = watch.last_measurement() if watch is not None else ""
    if not has_ended:
        did = "It wrote into" if breaks_protocol else "It closed"
        message = f"{did} the runtime's socket {activity}, and was killed."
    elif status == -signal.SIGKILL and watch is not None and watch.was_killed_for_memory():
        return OutOfMemoryError(
            f"The kernel's out-of-memory killer ended it {activity}: the machine or its container ran out of memory."
            + measured
        )
    else:
        message = sandbox_exit_message(status, activity) + (measured if status == -signal.SIGKILL else "")
    if sandbox.has_started or sandbox.first is None:
        return SandboxExitedError(message)
    return sandbox_unavailable(sandbox.first, message)
