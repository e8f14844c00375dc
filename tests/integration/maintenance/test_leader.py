"""Run loops of which one copy leads: election, takeover, and errors that affect one task only."""

import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, text

from schema.advisory_locks import Lock
from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.integration.lifecycle.steps import NOW, accept_request
from tests.support.waiting import wait_until
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.maintenance import leader
from workqueue.maintenance import periodic as chores_loop
from workqueue.maintenance.leader import LeaderSession, run_as_leader
from workqueue.maintenance.periodic import PeriodicTask
from workqueue.maintenance.reconciler import Reconciler, run
from workqueue.transport.doorbell import Doorbell


def run_in_thread(target: Callable[[threading.Event], None]) -> Callable[[], None]:
    """Run the function in a thread; return a function that ends it."""
    stopping = threading.Event()
    thread = threading.Thread(target=target, args=(stopping,))
    thread.start()

    def end() -> None:
        stopping.set()
        thread.join()

    return end


def test_one_of_two_copies_leads_and_the_other_takes_over(engine: Engine) -> None:
    iterations = {"first": 0, "second": 0}

    def copy(name: str) -> Callable[[], None]:
        def iterate() -> None:
            iterations[name] += 1

        return run_in_thread(
            lambda stopping: run_as_leader(
                LeaderSession(engine), Lock.SCHEDULE_TICKER, iterate, stopping, pause_s=lambda: 0.01
            )
        )

    end_first = copy("first")
    wait_until(lambda: iterations["first"] > 3)
    end_second = copy("second")
    before = iterations["first"]
    wait_until(lambda: iterations["first"] > before + 20)
    assert iterations["second"] == 0
    end_first()
    wait_until(lambda: iterations["second"] > 3)
    end_second()


def test_the_loops_of_a_process_share_a_session(engine: Engine) -> None:
    session = LeaderSession(engine)
    led = {role: threading.Event() for role in Lock}
    ends = [
        run_in_thread(lambda stopping, role=role, event=event: run_as_leader(session, role, event.set, stopping))  # type: ignore[misc]
        for role, event in led.items()
    ]
    for event in led.values():
        wait_until(event.is_set)
    for end in ends:
        end()


def test_a_loop_that_ends_leaves_the_lead_of_the_others(engine: Engine) -> None:
    session, other = LeaderSession(engine), LeaderSession(engine)
    led = {role: threading.Event() for role in (Lock.CLEANUP, Lock.MINUTE_ROLLUP)}
    end_cleanup, end_rollup = (
        run_in_thread(lambda stopping, role=role, event=event: run_as_leader(session, role, event.set, stopping))  # type: ignore[misc]
        for role, event in led.items()
    )
    for event in led.values():
        wait_until(event.is_set)
    end_cleanup()
    with other.in_use():
        assert other.try_to_lead(Lock.CLEANUP) is not None
        assert other.try_to_lead(Lock.MINUTE_ROLLUP) is None
    end_rollup()


def end_session_of_leader(engine: Engine) -> None:
    with engine.begin() as connection:
        # Of this database only: schedulers of other tests lead in other databases.
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND objid = :lock AND d.datname = current_database()"
        )
        assert connection.execute(text(statement), {"lock": int(Lock.SCHEDULE_TICKER)}).scalars().all() == [True]


def test_a_leader_whose_session_was_ended_leads_again(engine: Engine) -> None:
    iterations: list[int] = []
    end = run_in_thread(
        lambda stopping: run_as_leader(
            LeaderSession(engine), Lock.SCHEDULE_TICKER, lambda: iterations.append(1), stopping, pause_s=lambda: 0.01
        )
    )
    wait_until(lambda: len(iterations) > 3)
    end_session_of_leader(engine)
    before = len(iterations)
    wait_until(lambda: len(iterations) > before + 3)
    end()


@pytest.mark.usefixtures("_frozen_soon")
def test_a_lead_lost_during_an_iteration_is_acquired_again(engine: Engine) -> None:
    """Lose the lead during an iteration; the heartbeat thread detects the loss."""
    iterations: list[int] = []
    may_end = threading.Event()

    def iterate() -> None:
        iterations.append(1)
        may_end.wait()

    end = run_in_thread(
        lambda stopping: run_as_leader(
            LeaderSession(engine), Lock.SCHEDULE_TICKER, iterate, stopping, pause_s=lambda: 0.01
        )
    )
    wait_until(lambda: bool(iterations))
    end_session_of_leader(engine)
    may_end.set()
    wait_until(lambda: len(iterations) > 3, what="it leads again")
    end()


@pytest.fixture
def _frozen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "FROZEN_S", 1.5)
    monkeypatch.setattr(leader, "RENEW_S", 0.1)


class LongIteration:
    """Run an iteration that ends when the test says so, while a standby waits to lead."""

    def __init__(self, engine: Engine) -> None:
        self.begins = self.standby_rounds = 0
        self.is_under_way, self.may_end, self.standby_leads = threading.Event(), threading.Event(), threading.Event()
        self._end = run_in_thread(
            lambda stopping: run_as_leader(
                LeaderSession(engine), Lock.CLEANUP, self._iterate, stopping, on_elected=self._begin
            )
        )
        wait_until(self.is_under_way.is_set)
        standby = partial(
            run_as_leader, LeaderSession(engine), Lock.CLEANUP, self.standby_leads.set, on_standby=self._stand_by
        )
        self._end_standby = run_in_thread(standby)

    def _begin(self) -> None:
        self.begins += 1

    def _iterate(self) -> None:
        self.is_under_way.set()
        self.may_end.wait()

    def _stand_by(self) -> None:
        self.standby_rounds += 1

    def end(self) -> None:
        self.may_end.set()
        self._end()
        self._end_standby()


@pytest.mark.usefixtures("_frozen_soon")
def test_a_long_iteration_keeps_the_lead(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    lasting = LongIteration(engine)
    try:
        wait_until(lambda: lasting.standby_rounds * leader.ITERATION_S > 3 * leader.FROZEN_S, 60)
        assert (lasting.begins, lasting.standby_leads.is_set()) == (1, False)
    finally:
        lasting.end()
    assert caplog.messages == []


@pytest.mark.usefixtures("_frozen_soon")
def test_a_leader_without_heartbeats_loses_the_lead_and_logs_it(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "RENEW_S", 3600.0)  # As if the process were frozen.
    lasting = LongIteration(engine)
    try:
        wait_until(lasting.standby_leads.is_set, 30)
        lasting.may_end.set()
        wait_until(lambda: caplog.messages)
    finally:
        lasting.end()
    assert caplog.messages == ["leadership lost"]


def test_an_error_of_one_task_does_not_affect_the_others(engine: Engine, redis_url: str) -> None:
    class Broken(Reconciler):
        def run_iteration(self) -> None:
            raise KeyError("an unexpected error")

    from redis import Redis

    done = threading.Event()
    tasks = [PeriodicTask("broken", 0, lambda: 1 / 0), PeriodicTask("well", 0, done.set)]
    with Redis.from_url(redis_url) as client:
        reconciler = Broken(engine, Doorbell(client), Clock(), 8)
        end = run_in_thread(lambda stopping: run(reconciler, LeaderSession(engine), tasks, stopping))
        for _ in range(2):
            done.clear()
            wait_until(done.is_set)
        end()


def test_a_task_with_remaining_work_continues_at_once(engine: Engine) -> None:
    left = [3, 10, 10, 10]
    task = PeriodicTask("much", 3600, lambda: left.pop() if len(left) > 1 else left[0], full=10)
    end = run_in_thread(
        lambda stopping: chores_loop.run_periodic_tasks(LeaderSession(engine), Lock.CLEANUP, [task], stopping)
    )
    wait_until(lambda: left == [3])
    wait_until(lambda: task.due_at > 0)
    end()


def test_an_unresponsive_file_store_delays_neither_recovery_nor_stats(
    start_runtime: StartRuntime,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unresponsive, start_runtime(processes=("web", "worker")) as runtime:
        runtime.env["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{unresponsive.getsockname()[1]}"
        runtime.env["LOCALFN_FILES"] = "s3://a-bucket"
        engine = make_engine(runtime.database_url, pool_size=1)
        lifecycle.claim(engine, [accept_request(engine)], "lost", NOW, 1.0)
        runtime.start("scheduler")
        unresponsive.settimeout(60)
        connection, _ = unresponsive.accept()  # It searches for orphaned files now.

        def found(statement: str) -> Any:
            with engine.connect() as connection:
                return connection.execute(text(statement)).scalar_one_or_none()

        wait_until(lambda: found("SELECT losses FROM processing_request") == 1, 30, "lost work is found")
        wait_until(lambda: found("SELECT until FROM tally_mark"), 30, "minutes are tallied")
        assert runtime.stop("scheduler") == 0
        connection.close()
        engine.dispose()
