"""Check how many requests a worker prefetches."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.lifecycle.steps import NOW, function_spec
from workqueue.invocation.batch_sizing import MAX_BATCH_SIZE, MAX_WAIT_S, BatchSizer
from workqueue.lifecycle import Claim

SHORT_S = MAX_WAIT_S / 10


def make_claim(function: str = "f", **options: Any) -> Claim:
    found = function_spec(name=function)
    values: dict[str, Any] = {"inputs": (), "on_lost": "rerun", "function": found} | options
    return Claim(
        request_id=uuid4(), attempt=1, worker="w", function_name=function, event="1", queue="default",
        max_attempts=1, failures=0, losses=0, created_at=NOW, available_at=NOW, claimed_at=NOW, **values,
    )  # fmt: skip


def make_sizer(**lasting_s: float) -> BatchSizer:
    """Return a sizer with a hundred measured requests of each function."""
    sizer = BatchSizer()
    for function, seconds in lasting_s.items():
        for _ in range(100):
            sizer.record_duration(function, seconds)
    return sizer


def test_a_new_worker_prefetches_one_request() -> None:
    assert BatchSizer().prefetch_count() == 1
    assert BatchSizer().runnable_count([make_claim(), make_claim()]) == 1


@pytest.mark.parametrize(
    ("lasting_s", "taken"), [(0.0, MAX_BATCH_SIZE), (MAX_WAIT_S / 4, 3), (MAX_WAIT_S, 1), (3600, 1)]
)
def test_shorter_requests_mean_larger_prefetches(lasting_s: float, taken: int) -> None:
    assert make_sizer(f=lasting_s).prefetch_count() == taken


def test_events_that_fit_into_the_budget_run_and_others_are_released() -> None:
    sizer = make_sizer(f=SHORT_S, slow=MAX_WAIT_S)
    assert sizer.runnable_count([make_claim()] * 30) in (8, 9, 10)
    assert sizer.runnable_count([make_claim(), make_claim("slow"), make_claim()]) == 1
    assert sizer.runnable_count([make_claim("slow")] * 3) == 1, "the first request always runs"
    assert sizer.runnable_count([make_claim(), make_claim("new"), make_claim()]) == 1, "its duration is unknown"


def test_requests_with_hooks_or_on_lost_fail_run_alone() -> None:
    sizer, hooked = make_sizer(f=SHORT_S), replace(function_spec(), has_cleanup=True)
    assert sizer.runnable_count([make_claim(), make_claim(on_lost="fail"), make_claim()]) == 1
    assert sizer.runnable_count([make_claim(on_lost="fail"), make_claim()]) == 1
    assert sizer.runnable_count([make_claim(), replace(make_claim(), function=hooked)]) == 1
    assert sizer.runnable_count([make_claim(), make_claim()]) == 2


def test_one_long_request_does_not_change_the_expected_duration() -> None:
    sizer = make_sizer(f=SHORT_S)
    sizer.record_duration("f", 60)
    for _ in range(60):
        sizer.record_duration("f", SHORT_S)
    assert sizer.runnable_count([make_claim()] * 5) > 1
