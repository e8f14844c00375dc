"""Assign waiting attempts to sandboxes: which attempt goes to which one, and when another one is started."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from workqueue.functions.registry import FunctionSpec
from workqueue.invocation import sizing
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.sandbox import Sandbox
from workqueue.invocation.sandbox_pool import SandboxPool
from workqueue.invocation.sizing import FunctionLoad

STARTS_PER_CORE = 2  # sandboxes that start at the same time; more would delay each other
START_S = 0.25  # a start that takes longer waits for something else than a processor


@dataclass(slots=True)
class FunctionQueue:
    """The attempts of one function that wait in this worker, and the sandboxes at work on it."""

    function: FunctionSpec
    waiting: deque[Attempt] = field(default_factory=deque)
    sandboxes: list[Sandbox] = field(default_factory=list)
    starting: int = 0
    load: FunctionLoad = field(default_factory=FunctionLoad)

    @property
    def at_work(self) -> int:
        """Return how many sandboxes serve the function, without those that are at something long."""
        return self.starting + sum(not sandbox.is_slow for sandbox in self.sandboxes)


class Assignment:
    """Decide for one worker. slots: the most requests that it runs at the same time. cores: of this machine."""

    def __init__(self, pool: SandboxPool, slots: int, cores: int) -> None:
        self._pool, self._slots, self._cores = pool, slots, cores
        self._queues: dict[str, FunctionQueue] = {}
        self._at_work: dict[Sandbox, FunctionQueue] = {}
        self._in_use = 0  # slots
        self._is_closed = False
        self._starts: deque[float] = deque()  # times of recent starts, in seconds of `time.monotonic`

    def close(self) -> None:
        """Assign no attempt any more: the worker stops."""
        self._is_closed = True

    def add(self, attempts: Iterable[Attempt], *, first: bool = False) -> None:
        """Let attempts wait for a sandbox. first: before the others, since they waited already."""
        for attempt in reversed(list(attempts)) if first else attempts:
            queue = self._queues.get(attempt.claim.function_name)
            if queue is None:
                queue = self._queues[attempt.claim.function_name] = FunctionQueue(attempt.function)
            queue.function = attempt.function
            if first:
                queue.waiting.appendleft(attempt)
            else:
                queue.waiting.append(attempt)

    def remove(self, attempt: Attempt) -> bool:
        """Remove a waiting attempt. Return False if it does not wait: a sandbox is being started for it."""
        waiting = self._queues[attempt.claim.function_name].waiting
        if attempt not in waiting:
            return False
        waiting.remove(attempt)
        return True

    def take_waiting(self) -> list[Attempt]:
        """Remove and return all attempts that wait."""
        found = [attempt for queue in self._queues.values() for attempt in queue.waiting]
        for queue in self._queues.values():
            queue.waiting.clear()
        return found

    def take_expiring(self, latest: float) -> list[Attempt]:
        """Remove and return the waiting attempts whose lease was extended before `latest`."""
        found = [each for queue in self._queues.values() for each in queue.waiting if each.lease_at < latest]
        for attempt in found:
            self.remove(attempt)
        return found

    def take_stuck(self) -> list[Attempt]:
        """Remove and return the attempts that wait for a slot, if each slot is used by something long."""
        if self._in_use < self._slots or any(queue.at_work for queue in self._queues.values()):
            return []
        return self.take_waiting()

    def waiting_count(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    def assign_warm(self) -> Iterator[tuple[Sandbox, list[Attempt]]]:
        """Yield sandboxes with the attempts to send to each: to idle ones first, then ahead to those at work."""
        for queue in self._by_age():
            given: dict[Sandbox, list[Attempt]] = {}
            while queue.waiting and self._may_use_another(queue):
                sandbox = self._pool.take_idle(queue.function)
                if sandbox is None:
                    break
                self._in_use += 1
                self._register(queue, sandbox)
                given[sandbox] = [queue.waiting.popleft()]
            self._send_ahead(queue, given)
            yield from given.items()

    def take_more_for(self, sandbox: Sandbox) -> list[Attempt]:
        """Return waiting attempts that a sandbox at work takes next: several if they are short, else one."""
        queue = self._at_work.get(sandbox)
        if queue is None or not queue.waiting or self._is_closed or not sandbox.can_take_more:
            return []
        room = sizing.room_ahead(queue.load, len(sandbox.sent)) if sandbox.sent else 1
        if queue.load.is_short:
            room = min(max(room, not sandbox.sent), -(-len(queue.waiting) // len(queue.sandboxes)))
        if room < 1 or self._is_slot_wanted_before(queue) or not self._serves(sandbox, queue):
            return []
        taken = list[Attempt]()
        while queue.waiting and len(taken) < room and (not (sandbox.sent or taken) or not queue.waiting[0].runs_alone):
            taken.append(queue.waiting.popleft())
            if taken[-1].runs_alone:
                break
        return taken

    def _serves(self, sandbox: Sandbox, queue: FunctionQueue) -> bool:
        """Return whether a sandbox at work has the function's current code, and runs nothing that must be alone."""
        is_alone = sandbox.first is not None and sandbox.first.runs_alone
        return not is_alone and sandbox.key == self._pool.key_of(queue.function) and sandbox.has_current_code()

    def assign_starts(self) -> Iterator[Attempt]:
        """Yield attempts that get a new sandbox. The caller starts it, and calls `begin` or `start_failed`."""
        for queue in self._by_age():
            while queue.waiting and self._may_use_another(queue) and self._may_start():
                queue.starting += 1
                self._in_use += 1
                self._starts.append(time.monotonic())
                yield queue.waiting.popleft()

    def begin(self, function: str, sandbox: Sandbox) -> None:
        """Count a sandbox that has started as at work on its function."""
        self._queues[function].starting -= 1
        self._register(self._queues[function], sandbox)

    def start_failed(self, function: str) -> None:
        """Free the slot of a sandbox that could not be started."""
        self._queues[function].starting -= 1
        self._in_use -= 1

    def end(self, sandbox: Sandbox) -> None:
        """Free the slot of a sandbox that is not at work any more."""
        queue = self._at_work.pop(sandbox, None)
        if queue is not None:
            queue.sandboxes.remove(sandbox)
            self._in_use -= 1

    def sandboxes(self) -> list[Sandbox]:
        """Return the sandboxes at work."""
        return list(self._at_work)

    def _register(self, queue: FunctionQueue, sandbox: Sandbox) -> None:
        queue.sandboxes.append(sandbox)
        self._at_work[sandbox] = queue

    def record(self, function: str, duration_s: float, cpu_s: float) -> None:
        """Count how long a request took."""
        self._queues[function].load.record(duration_s, cpu_s)

    def free_count(self) -> int:
        """Return how many more requests this worker can start at once, send ahead, or keep for its next free slot."""
        free = self._slots - self._in_use - self.waiting_count()
        active = [queue for queue in self._queues.values() if queue.sandboxes and not queue.load.is_slow]
        if not active or len(active) < sum(bool(queue.at_work) for queue in self._queues.values()):
            return max(0, free)
        average_s = max(queue.load.duration_s or 0.0 for queue in active)
        held = self.waiting_count() + sum(len(each.sent) for queue in active for each in queue.sandboxes)
        wanted = sum(sizing.sandboxes_wanted(queue.load, self._slots, self._cores) for queue in active)
        return sizing.claim_count(average_s, free, min(wanted, self._slots), held)

    def _by_age(self) -> list[FunctionQueue]:
        """Return the functions with waiting attempts, the longest waiting first."""
        waiting = [queue for queue in self._queues.values() if queue.waiting and not self._is_closed]
        return sorted(waiting, key=lambda queue: queue.waiting[0].lease_at) if len(waiting) > 1 else waiting

    def _may_use_another(self, queue: FunctionQueue) -> bool:
        return self._in_use < self._slots and queue.at_work < sizing.sandboxes_wanted(
            queue.load, self._slots, self._cores
        )

    def _is_slot_wanted_before(self, queue: FunctionQueue) -> bool:
        """Return whether an attempt of another function waits for a slot, and came earlier."""
        if self._in_use < self._slots:
            return False
        return any(
            other.waiting
            and not other.sandboxes
            and not other.starting
            and other.waiting[0].lease_at <= queue.waiting[0].lease_at
            for other in self._queues.values()
        )

    def _may_start(self) -> bool:
        """Return whether a sandbox may start now. If memory is short, one still may if no other is at work."""
        starting = sum(queue.starting for queue in self._queues.values())
        while self._starts and (len(self._starts) > starting or self._starts[0] < time.monotonic() - START_S):
            self._starts.popleft()
        return len(self._starts) < STARTS_PER_CORE * self._cores and (self._pool.has_memory() or not self._in_use)

    def _send_ahead(self, queue: FunctionQueue, given: dict[Sandbox, list[Attempt]]) -> None:
        """Give attempts to sandboxes at work, in equal parts, behind those that they have."""
        if not queue.waiting or not queue.load.is_short:
            return
        sandboxes = [
            each for each in queue.sandboxes if each.can_take_more and each.key == self._pool.key_of(queue.function)
        ]
        for position, sandbox in enumerate(sorted(sandboxes, key=lambda each: len(each.sent))):
            mine = given.setdefault(sandbox, [])
            part = -(-len(queue.waiting) // (len(sandboxes) - position))
            room = min(sizing.room_ahead(queue.load, len(sandbox.sent) + len(mine)), part)
            if room and (not sandbox.has_current_code() or (sandbox.first and sandbox.first.runs_alone)):
                room = 0
            while room > 0 and queue.waiting and not queue.waiting[0].runs_alone:
                mine.append(queue.waiting.popleft())
                room -= 1
            if not mine:
                del given[sandbox]
