"""Loops of which one copy runs: who leads, who follows, and that one step's error is no matter of the others."""

import threading
from collections.abc import Callable

from sqlalchemy import Engine, text

from tests.waiting import wait_until
from workqueue.clock import Clock
from workqueue.doorbell import Doorbell
from workqueue.upkeep.leading import RECONCILER, TICKER, lead
from workqueue.upkeep.reconcile import Chore, Reconciler, run


def begun(target: Callable[[threading.Event], None]) -> Callable[[], None]:
    """Runs it in a thread; gives what ends it."""
    stopping = threading.Event()
    thread = threading.Thread(target=target, args=(stopping,))
    thread.start()

    def end() -> None:
        stopping.set()
        thread.join()

    return end


def test_of_two_copies_one_takes_turns_and_the_other_takes_over(engine: Engine) -> None:
    turns = {"first": 0, "second": 0}

    def copy(name: str) -> Callable[[], None]:
        def turn() -> None:
            turns[name] += 1

        return begun(lambda stopping: lead(engine, TICKER, turn, stopping, pause_s=lambda: 0.01))

    end_first = copy("first")
    wait_until(lambda: turns["first"] > 3)
    end_second = copy("second")
    before = turns["first"]
    wait_until(lambda: turns["first"] > before + 20)
    assert turns["second"] == 0
    end_first()
    wait_until(lambda: turns["second"] > 3)
    end_second()


def test_the_two_loops_do_not_keep_each_other_from_leading(engine: Engine) -> None:
    led = {RECONCILER: threading.Event(), TICKER: threading.Event()}
    ends = [
        begun(lambda stopping, lock=lock, event=event: lead(engine, lock, event.set, stopping))  # type: ignore[misc]
        for lock, event in led.items()
    ]
    for event in led.values():
        wait_until(event.is_set)
    for end in ends:
        end()


def test_a_leader_whose_session_was_ended_leads_again(engine: Engine) -> None:
    turns: list[int] = []
    end = begun(lambda stopping: lead(engine, TICKER, lambda: turns.append(1), stopping, pause_s=lambda: 0.01))
    wait_until(lambda: len(turns) > 3)
    with engine.begin() as connection:
        # Of this database only: other tests' schedulers lead in theirs.
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND objid = :lock AND d.datname = current_database()"
        )
        assert connection.execute(text(statement), {"lock": TICKER}).scalars().all() == [True]
    before = len(turns)
    wait_until(lambda: len(turns) > before + 3)
    end()


def test_an_error_of_the_reconciler_or_of_a_chore_is_no_matter_of_the_others(engine: Engine, redis_url: str) -> None:
    class Broken(Reconciler):
        def look(self) -> None:
            raise KeyError("a fault that nobody thought of")

    from redis import Redis

    done = threading.Event()
    chores = [Chore("broken", 0, lambda: 1 / 0), Chore("well", 0, done.set)]
    with Redis.from_url(redis_url) as client:
        reconciler = Broken(engine, Doorbell(client), Clock(), 8)
        end = begun(lambda stopping: run(reconciler, chores, stopping))
        for _ in range(2):
            done.clear()
            wait_until(done.is_set)
        end()
