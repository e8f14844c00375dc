"""Check when a pool grows and shrinks."""

import pytest

from workqueue.workers.autoscaler import (
    IDLE_S,
    IO_BOUND_S,
    LONG_S,
    MIN_IDLE_CPU,
    SETTLE_S,
    Bounds,
    Load,
    to_start,
    to_stop,
)

BOUNDS = Bounds(2, 10)
LONG, SHORT = LONG_S * 2, 0.001
NO_CPU = MIN_IDLE_CPU / 2
CPU = (1 + MIN_IDLE_CPU) / 2


def count_started(
    busy_for_s: list[float], idle: int, waiting: int, idle_cpu: float = NO_CPU, newest_s: float = 60
) -> int:
    return to_start(Load(busy_for_s, idle, newest_s, waiting, idle_cpu), BOUNDS)


@pytest.mark.parametrize(
    ("busy_for_s", "idle", "waiting", "expected"),
    [
        ([], 0, 0, 2),
        ([LONG], 0, 0, 1),
        ([], 2, 50, 0),
        ([LONG], 1, 50, 0),
        ([LONG, LONG], 0, 0, 0),
        ([LONG, LONG], 0, 1, 1),
        ([LONG, LONG], 0, 50, 8),
        ([LONG, SHORT], 0, 50, 0),
        ([LONG] * 9, 0, 50, 1),
        ([LONG] * 10, 0, 50, 0),
        ([LONG] * 11, 0, 50, 0),
    ],
)
def test_waiting_behind_long_requests_adds_a_worker(
    busy_for_s: list[float], idle: int, waiting: int, expected: int
) -> None:
    assert count_started(busy_for_s, idle, waiting) == expected


def test_a_request_that_leaves_the_processors_idle_counts_as_long_earlier() -> None:
    assert count_started([IO_BOUND_S, IO_BOUND_S], 0, 5, CPU) == 5
    assert count_started([IO_BOUND_S, IO_BOUND_S], 0, 5, NO_CPU) == 0


def test_while_requests_are_short_workers_are_added_as_long_as_the_processors_have_room() -> None:
    assert count_started([SHORT] * 2, 0, 50, idle_cpu=0.3) == 1
    assert count_started([SHORT] * 4, 0, 50, idle_cpu=0.4) == 3
    assert count_started([SHORT] * 2, 0, 50, idle_cpu=0.9) == 2, "at most twice as many at a time"
    assert count_started([SHORT] * 9, 0, 50, idle_cpu=0.9) == 1, "at most the allowed number"
    assert count_started([SHORT, SHORT], 0, 50, NO_CPU) == 0
    assert count_started([SHORT, SHORT], 0, 2, CPU) == 0, "the waiting requests start soon"
    assert count_started([SHORT, SHORT], 0, 50, CPU, newest_s=SETTLE_S / 2) == 0, (
        "the effect of the last worker is not measured yet"
    )


def test_workers_that_idle_are_stopped_down_to_the_fewest() -> None:
    idle = {"a": IDLE_S, "b": IDLE_S + 5, "c": 1.0}
    assert to_stop(idle, 5, BOUNDS) == ["b", "a"]
    assert to_stop(idle, 3, BOUNDS) == ["b"]
    assert to_stop(idle, 2, BOUNDS) == []
