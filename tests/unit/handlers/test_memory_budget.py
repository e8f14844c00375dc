"""Check the memory budget of a web process: large requests wait, or are rejected."""

import threading

import pytest

from handlers.http.memory_budget import MemoryBudget
from handlers.http.problems import OverloadedError
from tests.support.waiting import wait_until


def test_memory_above_the_budget_is_denied_and_released_memory_is_available() -> None:
    budget = MemoryBudget(100)
    assert budget.acquire(60, 0) == 60
    with pytest.raises(OverloadedError):
        budget.acquire(41, 0.01)
    assert budget.acquire(40, 0) == 40
    budget.release(60)
    assert budget.acquire(60, 0) == 60


def test_an_event_above_the_budget_runs_alone() -> None:
    budget = MemoryBudget(100)
    assert budget.acquire(1000, 0) == 100
    with pytest.raises(OverloadedError):
        budget.acquire(1, 0.01)


def test_a_waiting_thread_gets_memory_that_another_releases() -> None:
    budget = MemoryBudget(100)
    budget.acquire(100, 0)
    taken: list[int] = []
    waiter = threading.Thread(target=lambda: taken.append(budget.acquire(50, 60)))
    waiter.start()
    budget.release(100)
    wait_until(lambda: taken == [50], 30, "the waiter has its memory")
    waiter.join()
