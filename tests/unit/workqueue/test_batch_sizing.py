"""How many requests are taken at once."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.lifecycle.test_transitions import NOW, function_spec
from workqueue.invocation.batch_sizing import MAX_BATCH_SIZE, MAX_WAIT_S, BatchSizer
from workqueue.lifecycle import Claim

SHORT_S = MAX_WAIT_S / 10


def claim(function: str = "f", **options: Any) -> Claim:
    found = function_spec(name=function)
    values: dict[str, Any] = {"inputs": (), "on_lost": "rerun", "function": found} | options
    return Claim(
        request_id=uuid4(), attempt=1, worker="w", function_name=function, event="1", queue="default",
        max_attempts=1, failures=0, losses=0, created_at=NOW, available_at=NOW, claimed_at=NOW, **values,
    )  # fmt: skip


def knowing(**lasting_s: float) -> BatchSizer:
    """A pace that has seen a hundred of each."""
    pace = BatchSizer()
    for function, seconds in lasting_s.items():
        for _ in range(100):
            pace.record_duration(function, seconds)
    return pace


def test_a_new_worker_prefetches_one_request() -> None:
    assert BatchSizer().prefetch_count() == 1
    assert BatchSizer().runnable_count([claim(), claim()]) == 1


@pytest.mark.parametrize(
    ("lasting_s", "taken"), [(0.0, MAX_BATCH_SIZE), (MAX_WAIT_S / 4, 3), (MAX_WAIT_S, 1), (3600, 1)]
)
def test_shorter_requests_mean_larger_prefetches(lasting_s: float, taken: int) -> None:
    assert knowing(f=lasting_s).prefetch_count() == taken


def test_events_that_fit_into_the_budget_run_and_others_are_released() -> None:
    pace = knowing(f=SHORT_S, slow=MAX_WAIT_S)
    assert pace.runnable_count([claim()] * 30) in (8, 9, 10)
    assert pace.runnable_count([claim(), claim("slow"), claim()]) == 1
    assert pace.runnable_count([claim("slow")] * 3) == 1, "the first always runs"
    assert pace.runnable_count([claim(), claim("new"), claim()]) == 1, "nobody knows how long that one takes"


def test_requests_with_hooks_or_on_lost_fail_run_alone() -> None:
    pace, hooked = knowing(f=SHORT_S), replace(function_spec(), has_cleanup=True)
    assert pace.runnable_count([claim(), claim(on_lost="fail"), claim()]) == 1
    assert pace.runnable_count([claim(on_lost="fail"), claim()]) == 1
    assert pace.runnable_count([claim(), replace(claim(), function=hooked)]) == 1
    assert pace.runnable_count([claim(), claim()]) == 2


def test_one_long_request_does_not_change_the_expected_duration() -> None:
    pace = knowing(f=SHORT_S)
    pace.record_duration("f", 60)
    for _ in range(60):
        pace.record_duration("f", SHORT_S)
    assert pace.runnable_count([claim()] * 5) > 1
