"""Kill several schedulers at random and empty Redis now and then: every tick creates exactly one request."""

import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import redis
from sqlalchemy import Engine, text

from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.support.fork_server.client import RuntimeProcess
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

SCHEDULES = 25
FAULTS_S = 14
SCHEDULERS = 2


@pytest.fixture
def runtime_without_scheduler(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield web and workers; the tests start the schedulers."""
    with start_runtime(processes=("web", "worker")) as runtime:
        yield runtime


class SchedulerGroup:
    """Run a number of scheduler processes; each killed one is replaced."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.running = [self._start(place) for place in range(SCHEDULERS)]

    def _start(self, place: int) -> RuntimeProcess:
        process = self.runtime.start("scheduler")
        self.runtime.processes[f"scheduler {place}"] = self.runtime.processes.pop("scheduler")
        return process

    def kill_and_replace(self, place: int, number: signal.Signals) -> None:
        self.running[place].send_signal(number)
        self.running[place].wait()
        self.running[place] = self._start(place)

    def freeze(self, place: int, seconds: float) -> None:
        process = psutil.Process(self.running[place].pid)
        process.suspend()
        time.sleep(seconds)  # The freeze lasts some time: this is the injected fault.
        process.resume()


def inject_faults(schedulers: SchedulerGroup, client: redis.Redis, chance: random.Random) -> None:
    ends_at = time.monotonic() + FAULTS_S
    while time.monotonic() < ends_at:
        place = chance.randrange(SCHEDULERS)
        match chance.randrange(5):
            case 0 | 1:
                schedulers.kill_and_replace(place, signal.SIGKILL)
            case 2:
                schedulers.kill_and_replace(place, signal.SIGTERM)
            case 3:
                schedulers.freeze(place, chance.uniform(0.1, 1.5))
            case _:
                client.flushdb()
        time.sleep(chance.uniform(0, 1.2))  # The interval of the faults.


def ticks(engine: Engine) -> dict[str, list[datetime]]:
    statement = text("SELECT schedule, scheduled_for FROM processing_request ORDER BY scheduled_for")
    found: dict[str, list[datetime]] = {}
    with engine.connect() as connection:
        for name, moment in connection.execute(statement):
            found.setdefault(name, []).append(moment.astimezone(UTC))
    return found


def test_each_tick_creates_one_request_despite_killed_schedulers(runtime_without_scheduler: Runtime) -> None:
    schedulers = SchedulerGroup(runtime_without_scheduler)
    for number in range(SCHEDULES):
        body = {"name": f"s{number}", "function": "echo", "expression": "rate(1 second)", "misfire": "all"}
        assert runtime_without_scheduler.http.post("/api/schedules", json=body).status_code == 201
    with redis.Redis.from_url(runtime_without_scheduler.redis_url) as client:
        inject_faults(schedulers, client, random.Random(20261124))
    caught_up_from = datetime.now(UTC)
    engine = make_engine(runtime_without_scheduler.database_url, pool_size=1)

    def all_caught_up() -> bool:
        last = {name: moments[-1] for name, moments in ticks(engine).items()}
        return len(last) == SCHEDULES and all(moment > caught_up_from for moment in last.values())

    wait_until(all_caught_up, 30, "every schedule has made a tick after the trouble")
    for name, moments in ticks(engine).items():
        assert moments == [moments[0] + timedelta(seconds=n) for n in range(len(moments))], name
        shown = runtime_without_scheduler.get(f"/api/schedules/{name}")
        assert shown["total_runs"] >= len(moments) > FAULTS_S
    engine.dispose()
