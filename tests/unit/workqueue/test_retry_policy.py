"""Check what follows a failed attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.functions.retry_policy import (
    JITTER,
    MAX_LOSSES,
    Fail,
    GiveBack,
    Policy,
    after_failure,
    after_loss,
    backoff_s,
)


@pytest.mark.parametrize(("failures", "delay_s"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (10_000, 300)])
def test_the_delay_doubles_with_each_failure_up_to_its_ceiling(failures: int, delay_s: float) -> None:
    assert backoff_s(Policy(), failures, chance=0.5) == delay_s


def test_the_jitter_spreads_a_delay_by_a_fifth_either_way() -> None:
    assert (backoff_s(Policy(), 1, chance=0.0), backoff_s(Policy(), 1, chance=1.0)) == (1.6, 2.4)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 10**6), st.floats(0, 1))
def test_no_delay_is_negative_or_above_the_ceiling(first: float, ceiling: float, failures: int, chance: float) -> None:
    policy = Policy(retry_delay_s=first, retry_max_delay_s=ceiling)
    delay_s = backoff_s(policy, failures, chance)
    assert 0 <= delay_s <= ceiling
    assert delay_s <= first * 2.0 ** min(failures - 1, 60) * (1 + JITTER) + 1e-9


def test_a_function_fails_at_once_by_default() -> None:
    assert after_failure(Policy(), 1, chance=0.5) == Fail()


def test_failures_are_given_back_until_the_attempts_are_used_up() -> None:
    policy = Policy(max_attempts=3)
    decisions = [after_failure(policy, failures, chance=0.5) for failures in (1, 2, 3)]
    assert decisions == [GiveBack(2.0), GiveBack(4.0), Fail()]


def test_a_requested_delay_is_used_unchanged() -> None:
    policy = Policy(max_attempts=2)
    assert after_failure(policy, 1, asked_delay_s=0.5, chance=0.0) == GiveBack(0.5)
    assert after_failure(policy, 2, asked_delay_s=0.5, chance=0.0) == Fail()


def test_a_lost_worker_is_replaced_three_times_or_not_at_all() -> None:
    assert [after_loss(Policy(), losses) for losses in range(1, MAX_LOSSES + 1)] == [GiveBack(0.0)] * 3
    assert after_loss(Policy(), MAX_LOSSES + 1) == Fail()
    assert after_loss(Policy(on_lost="fail"), 1) == Fail()
