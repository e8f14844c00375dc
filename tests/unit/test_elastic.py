"""When a pool grows and shrinks."""

import pytest

from workqueue.elastic import BUSY_S, IDLE_S, MOST_AT_ONCE, Bounds, to_start, to_stop

BOUNDS = Bounds(2, 10)
LONG = BUSY_S * 2


@pytest.mark.parametrize(
    ("busy_for_s", "idle", "waiting", "started"),
    [
        ([], 0, 0, 2),
        ([LONG], 0, 0, 1),
        ([], 2, 50, 0),
        ([LONG], 1, 50, 0),
        ([LONG, LONG], 0, 0, 0),
        ([LONG, LONG], 0, 1, 1),
        ([LONG, LONG], 0, 50, MOST_AT_ONCE),
        ([LONG, 0.01], 0, 50, 0),
        ([LONG] * 9, 0, 50, 1),
        ([LONG] * 10, 0, 50, 0),
        ([LONG] * 11, 0, 50, 0),
    ],
)
def test_workers_are_started_while_requests_wait_for_long_ones(
    busy_for_s: list[float], idle: int, waiting: int, started: int
) -> None:
    assert to_start(busy_for_s, idle, waiting, BOUNDS) == started


def test_workers_that_idle_are_stopped_down_to_the_fewest() -> None:
    idle = {"a": IDLE_S, "b": IDLE_S + 5, "c": 1.0}
    assert to_stop(idle, 5, BOUNDS) == ["b", "a"]
    assert to_stop(idle, 3, BOUNDS) == ["b"]
    assert to_stop(idle, 2, BOUNDS) == []
