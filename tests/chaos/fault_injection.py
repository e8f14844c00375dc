"""Inject the planned faults into the processes."""

import heapq
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil
import psycopg
from redis.exceptions import RedisError

from tests.chaos.environment import processes
from tests.chaos.environment.environment import POOLS, ChaosEnvironment
from tests.chaos.environment.restarter import DOWN_S
from tests.chaos.faults import CROWD, CROWD_LIMIT_S, CROWDS, LONE, Act, Fault, Target
from tests.support.disks import fill

LEAD_S = 1.0  # before a lone kill: running faults end
MAX_WAITING = 2  # with more, a request would wait in the queue, not for its recovery
RESERVE_SHARE = 0.5  # of full disks on which the released reserve is filled, too
RELEASED_S = 0.9
WAITING = "SELECT count(*) FROM processing_request WHERE status = 'pending' AND available_at < now()"
BUSY = """
    SELECT w.pid, count(*) FROM worker w JOIN processing_request r ON r.worker = w.name AND r.status = 'processing'
    GROUP BY w.pid
"""
SLOW_S = 0.2  # added to each answer of PostgreSQL; a claim or an end takes up to five of them
STOPPED_S, GOING_S = 0.15, 0.1  # a stutter: a pool replaces a worker that is stopped for 0.3 s
CROWD_POLL_S = 0.25


@dataclass
class Injector:
    """Inject one schedule of faults.

    post_crowd: posts this number of requests that sleep, in one batch.
    undo: actions that end current faults, such as frozen processes or a stopped server.
    """

    environment: ChaosEnvironment
    post_crowd: Callable[[int], None]
    stopping: threading.Event
    _undo: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0

    def play(self, faults: Sequence[Fault]) -> None:
        """Inject all faults; return when all have ended."""
        started = time.monotonic()
        self.environment.proxy.is_nasty = True
        for fault in faults:
            self._pause_until(started + fault.at_s)
            self._inject(fault)
        while self._undo:
            self._pause_until(self._undo[0][0])
        self.environment.proxy.is_nasty = False

    def _pause_until(self, moment: float) -> None:
        """Wait for the next planned time, and end faults that are due."""
        while True:
            while self._undo and self._undo[0][0] <= time.monotonic():
                heapq.heappop(self._undo)[2]()
            due = min([moment, *(entry[0] for entry in self._undo[:1])])
            if self.stopping.is_set() or (due >= moment and time.monotonic() >= moment):
                return
            self.stopping.wait(max(0.0, due - time.monotonic()))

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._undo, (time.monotonic() + delay_s, self._number, action))

    def _inject(self, fault: Fault) -> None:
        if fault.act in LONE:
            self._hit_alone(fault)
        elif fault.act == Act.SLOW:
            self._slow_postgres(fault)
        elif fault.target == Target.REDIS:
            self._hit_redis(fault)
        elif fault.target == Target.POSTGRES:
            self._hit_postgres(fault)
        elif fault.target == Target.RUNTIME:
            self._kill_runtime()
        elif fault.target == Target.DISK:
            self._fill_disk(fault)
        else:
            self._signal(fault)

    def _signal(self, fault: Fault) -> None:
        found = self._candidates(fault.target)
        if not found:
            return
        victim = found[int(fault.chance * len(found))]
        self.environment.event_log.add(f"{fault.act} {fault.target}", lasts_s=fault.lasts_s, pid=victim.pid)
        if fault.act == Act.STUTTER:
            self._stutter(victim, time.monotonic() + fault.lasts_s)
            return
        number = {Act.KILL: signal.SIGKILL, Act.TERM: signal.SIGTERM, Act.FREEZE: signal.SIGSTOP}[fault.act]
        processes.send(victim, number)
        if fault.act == Act.FREEZE:
            self._later(fault.lasts_s, lambda: processes.send(victim, signal.SIGCONT))

    def _stutter(self, victim: psutil.Process, ends_at: float) -> None:
        if time.monotonic() >= ends_at:
            return
        processes.send(victim, signal.SIGSTOP)
        self._later(STOPPED_S, lambda: processes.send(victim, signal.SIGCONT))
        self._later(STOPPED_S + GOING_S, lambda: self._stutter(victim, ends_at))

    def _candidates(self, target: Target) -> list[psutil.Process]:
        pools = self.environment.pool_pids
        if target == Target.WORKER:
            return list(self._busy_workers()) or processes.find_forked(pools)
        if target == Target.SANDBOX:
            return processes.find_sandboxes(pools)
        names = {
            Target.WEB: ("web",),
            Target.POOL: POOLS,
            Target.SCHEDULER: ("scheduler-1", "scheduler-2"),
        }[target]
        kept = [self.environment.restarters[name].process for name in names]
        parents = processes.find_running(
            [process.pid for process in kept if process is not None and process.poll() is None]
        )
        # Gunicorn has a parent process and a serving one.
        return processes.add_children(parents) if target == Target.WEB else parents

    def _kill_runtime(self) -> None:
        """Kill the runtime; it must end or find its children itself."""
        self.environment.event_log.add("kill runtime", lasts_s=DOWN_S)
        parents = processes.find_running(self.environment.runtime_pids)
        processes.send_all(processes.add_children(parents), signal.SIGKILL)

    def _hit_redis(self, fault: Fault) -> None:
        event_log, restarter = self.environment.event_log, self.environment.restarters["redis"]
        assert restarter.process is not None
        event_log.add(f"{fault.act} redis", lasts_s=fault.lasts_s, pid=restarter.process.pid)
        if fault.act in (Act.KILL, Act.EMPTY):
            restarter.away.set()
            restarter.process.kill()
            restarter.process.wait()
            if fault.act == Act.EMPTY:
                shutil.rmtree(self.environment.redis.folder)
            restarter.away.clear()
        elif fault.act == Act.FREEZE:
            frozen = psutil.Process(restarter.process.pid)
            processes.send(frozen, signal.SIGSTOP)
            self._later(fault.lasts_s, lambda: processes.send(frozen, signal.SIGCONT))
        else:
            self._tell_redis(fault)

    def _tell_redis(self, fault: Fault) -> None:
        try:
            with self.environment.connect_redis() as client:
                if fault.act == Act.FLUSH:
                    client.flushall()
                else:
                    client.execute_command("CLIENT", "PAUSE", int(fault.lasts_s * 1000), "ALL")
        except RedisError:
            return  # Redis is stopped already

    def _hit_postgres(self, fault: Fault) -> None:
        restarter = self.environment.restarters["postgres"]
        self.environment.event_log.add(f"{fault.act} postgres", lasts_s=fault.lasts_s)
        if fault.act == Act.AWAY:
            restarter.away.set()
            self._later(fault.lasts_s, restarter.away.clear)
        number = {Act.AWAY: signal.SIGQUIT, Act.KILL: signal.SIGKILL, Act.FREEZE: signal.SIGSTOP}[fault.act]
        found = processes.find_postgres(self.environment.postgres.data)
        processes.send_all(found if fault.act == Act.FREEZE else found[:1], number)
        if fault.act == Act.FREEZE:
            self._later(fault.lasts_s, lambda: processes.send_all(found, signal.SIGCONT))

    def _slow_postgres(self, fault: Fault) -> None:
        proxy = self.environment.proxy
        self.environment.event_log.add(f"{fault.act} postgres", lasts_s=fault.lasts_s)
        proxy.delay_s = SLOW_S
        self._later(fault.lasts_s, lambda: setattr(proxy, "delay_s", 0.0))

    def _fill_disk(self, fault: Fault) -> None:
        kind = f"{fault.act} {fault.target}"
        if not self.environment.has_small_disk:
            self.environment.event_log.left_out.add(kind)
            return
        self.environment.event_log.add(kind, lasts_s=fault.lasts_s)
        self._take_room(fault.lasts_s)
        if fault.chance < RESERVE_SHARE:
            self._later(RELEASED_S, lambda: self._take_room(fault.lasts_s - RELEASED_S))

    def _take_room(self, lasts_s: float) -> None:
        filler = fill(self.environment.home)
        self._later(lasts_s, filler.unlink)

    def _hit_alone(self, fault: Fault) -> None:
        """Inject a fault, and no other until the recovery: these measure the promised time."""
        self.environment.proxy.is_nasty = False
        ends_at = time.monotonic() + fault.lasts_s
        if fault.act in CROWDS:
            self._later(LEAD_S, lambda: self._gather_crowd(fault, ends_at))
        else:
            self._later(LEAD_S, lambda: self._hit_busy(fault, ends_at))
        self._later(fault.lasts_s, lambda: setattr(self.environment.proxy, "is_nasty", True))

    def _hit_busy(self, fault: Fault, ends_at: float) -> None:
        if self._has_backlog() or not (found := list(self._busy_workers())):
            return
        self._hit_worker(fault, found[int(fault.chance * len(found))], ends_at)

    def _gather_crowd(self, fault: Fault, ends_at: float) -> None:
        self.post_crowd(CROWD)
        self._hit_crowd(fault, ends_at, time.monotonic() + CROWD_LIMIT_S)

    def _hit_crowd(self, fault: Fault, ends_at: float, latest_at: float) -> None:
        """Hit the worker with the most running requests, once half of the crowd runs in it."""
        busiest, count = max(self._busy_workers().items(), key=lambda entry: entry[1], default=(None, 0))
        if count < CROWD // 2 and time.monotonic() < latest_at:
            self._later(CROWD_POLL_S, lambda: self._hit_crowd(fault, ends_at, latest_at))
        elif busiest is not None:
            self._hit_worker(fault, busiest, ends_at, detail=f"with {count} requests")

    def _hit_worker(self, fault: Fault, victim: psutil.Process, ends_at: float, detail: str = "") -> None:
        self.environment.event_log.add(f"{fault.act} worker", pid=victim.pid, detail=detail, disturbs=False)
        kills = fault.act in (Act.LONE_KILL, Act.CROWD_KILL)
        processes.send(victim, signal.SIGKILL if kills else signal.SIGSTOP)
        self._later(ends_at - time.monotonic(), lambda: processes.send(victim, signal.SIGCONT))

    def _has_backlog(self) -> bool:
        try:
            with self.environment.connect() as connection:
                row = connection.execute(WAITING).fetchone()
        except psycopg.OperationalError:
            return True
        return row is None or int(str(row[0])) > MAX_WAITING

    def _busy_workers(self) -> dict[psutil.Process, int]:
        """Return the workers with running requests, and their numbers; none while PostgreSQL is unavailable."""
        try:
            with self.environment.connect() as connection:
                counts = {int(str(pid)): int(str(count)) for pid, count in connection.execute(BUSY).fetchall()}
        except psycopg.OperationalError:
            return {}
        forked = processes.find_forked(self.environment.pool_pids)
        return {process: counts[process.pid] for process in forked if process.pid in counts}
