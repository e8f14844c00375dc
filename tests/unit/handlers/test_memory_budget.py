"""The memory budget of a web process: what needs much waits for its turn, or is refused."""

import threading

import pytest

from handlers.http.memory_budget import MemoryBudget
from handlers.http.problems import OverloadedError
from tests.support.waiting import wait_until


def test_what_does_not_fit_is_refused_and_what_was_given_back_is_there() -> None:
    budget = MemoryBudget(100)
    assert budget.acquire(60, 0) == 60
    with pytest.raises(OverloadedError):
        budget.acquire(41, 0.01)
    assert budget.acquire(40, 0) == 40
    budget.release(60)
    assert budget.acquire(60, 0) == 60


def test_what_is_larger_than_the_budget_runs_alone() -> None:
    budget = MemoryBudget(100)
    assert budget.acquire(1000, 0) == 100
    with pytest.raises(OverloadedError):
        budget.acquire(1, 0.01)


def test_one_that_waits_gets_what_another_gives_back() -> None:
    budget = MemoryBudget(100)
    budget.acquire(100, 0)
    taken: list[int] = []
    waiter = threading.Thread(target=lambda: taken.append(budget.acquire(50, 60)))
    waiter.start()
    budget.release(100)
    wait_until(lambda: taken == [50], 30, "the waiter has its memory")
    waiter.join()
