"""End sandboxes in a thread."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from workqueue.sandboxes.process import SandboxProcess, end_all


class Ender:
    """End sandboxes, all that wait at the same time together.

    A walk over the process table takes milliseconds. If hundreds of sandboxes time out or lose their leases at once,
    one walk serves them all.

    thread: an executor of one thread, closed with this.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._waiting: deque[tuple[SandboxProcess, Future[int]]] = deque()

    def end(self, process: SandboxProcess) -> Future[int]:
        """Kill a sandbox with all its descendants; the result is its exit status, negative for a signal."""
        done: Future[int] = Future()
        self._waiting.append((process, done))
        self._thread.submit(self._end_waiting)
        return done

    def close(self) -> None:
        """Return when all that wait have ended."""
        self._thread.shutdown()

    def _end_waiting(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not batch:  # an earlier call has ended them
            return
        try:
            statuses = end_all([process for process, _ in batch])
        except BaseException as error:
            for _, done in batch:
                done.set_exception(error)
            raise
        for (_, done), status in zip(batch, statuses, strict=True):
            done.set_result(status)
