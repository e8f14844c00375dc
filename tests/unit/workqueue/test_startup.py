"""Check the first workers of a pool: when it is ready, and when it gives up."""

import signal
import time

import pytest

from workqueue.heartbeats.worker_activity import MAX_REASON_BYTES, WorkerActivity
from workqueue.workers.startup import (
    HEALTHY_S,
    KILLED_HEALTHY_S,
    MAX_DELAY_S,
    StartDelay,
    Startup,
    WorkersFailError,
)


def activity(*, begun: bool = False, reason: str = "") -> WorkerActivity:
    made = WorkerActivity()
    if begun:
        made.tick()
    if reason:
        made.set_failure(reason)
    return made


def test_the_ready_line_appears_once_when_the_first_worker_polls() -> None:
    told: list[str] = []
    startup = Startup(2, lambda: told.append("ready"))
    startup.check([activity(), activity()])
    assert told == []
    for _ in range(3):
        startup.check([activity(), activity(begun=True)])
    assert told == ["ready"]


def test_when_all_children_die_at_start_the_first_reason_is_shown() -> None:
    startup = Startup(2, None)
    startup.record_death(activity(reason="ValueError: the first"), 1)
    startup.record_death(activity(reason="ValueError: another"), 1)
    with pytest.raises(WorkersFailError, match="every worker died at its start: ValueError: the first"):
        startup.record_death(activity(), -9)


def test_a_death_after_work_has_begun_is_no_failure_of_the_start() -> None:
    startup = Startup(1, None)
    for _ in range(5):
        startup.record_death(activity(begun=True, reason="boom"), 1)
    startup.check([activity(begun=True)])
    for _ in range(5):
        startup.record_death(activity(reason="boom"), 1)


def test_an_error_body_is_shown_up_to_the_limit() -> None:
    assert activity(reason="ü" * 5000).failure() == "ü" * (MAX_REASON_BYTES // 2)
    assert activity(reason="half \udc80 a character").failure() == "half ? a character"
    assert activity().failure() == ""


@pytest.mark.parametrize(
    ("lived_s", "status", "is_over"),
    [
        (0.5, 1, False),
        (HEALTHY_S - 0.5, 1, False),
        (HEALTHY_S + 0.5, 1, True),
        (0.5, -signal.SIGKILL, False),
        (KILLED_HEALTHY_S + 0.5, -signal.SIGKILL, True),
    ],
)
def test_a_process_is_replaced_at_once_unless_it_died_soon_after_its_start(
    monkeypatch: pytest.MonkeyPatch, lived_s: float, status: int, is_over: bool
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    delay = StartDelay()
    delay.record_start("w")
    now += lived_s
    delay.record_exit("w", status)
    assert delay.is_over() == is_over
    now += MAX_DELAY_S
    assert delay.is_over()
