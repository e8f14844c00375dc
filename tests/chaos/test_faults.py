"""Check that the seed alone decides the planned faults."""

import pytest

from tests.chaos.faults import FAULT_MIX, LONE, SETTLE_S, schedule

DURATION_S = 600.0


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_gives_the_same_faults(seed: int) -> None:
    assert schedule(seed, DURATION_S, 8.0) == schedule(seed, DURATION_S, 8.0)
    assert schedule(seed, DURATION_S, 8.0) != schedule(seed + 1, DURATION_S, 8.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_long_run_has_every_kind_of_fault_and_all_end_in_time(seed: int) -> None:
    faults = schedule(seed, DURATION_S, 8.0)
    assert {(fault.act, fault.target) for fault in faults} == set(FAULT_MIX)
    assert max(fault.ends_at_s for fault in faults) <= DURATION_S


@pytest.mark.parametrize("seed", range(5))
def test_no_fault_is_planned_during_the_recovery_from_a_lone_fault(seed: int) -> None:
    faults = schedule(seed, DURATION_S, 8.0)
    for lone in (fault for fault in faults if fault.act in LONE):
        others = [fault for fault in faults if fault is not lone]
        assert all(fault.ends_at_s + SETTLE_S <= lone.at_s or fault.at_s >= lone.ends_at_s for fault in others)
