"""Check how many sandboxes a function gets, how many requests are sent ahead, and how many are claimed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.invocation.sizing import (
    AHEAD_S,
    MAX_AHEAD,
    SLOW_S,
    FunctionLoad,
    claim_count,
    room_ahead,
    sandboxes_wanted,
)


def load(duration_s: float, cpu_s: float = 0.0) -> FunctionLoad:
    """Return the load after a hundred equal requests."""
    made = FunctionLoad()
    for _ in range(100):
        made.record(duration_s, cpu_s)
    return made


def test_an_unknown_function_gets_a_sandbox_for_each_request() -> None:
    assert sandboxes_wanted(FunctionLoad(), slots=20, cores=2) == 20
    assert room_ahead(FunctionLoad(), 0) == 0


@pytest.mark.parametrize(
    ("duration_s", "cpu_s", "wanted"),
    [
        (0.0001, 0.0001, 2),  # a no-op keeps a core busy
        (0.001, 0.0004, 8),  # a short wait: others use the cores meanwhile
        (0.01, 0.0, 20),  # a long wait: as many as may run
        (SLOW_S, SLOW_S, 20),  # long requests run side by side
        (3600, 3600, 20),
    ],
)
def test_a_function_gets_as_many_sandboxes_as_keep_all_cores_busy(duration_s: float, cpu_s: float, wanted: int) -> None:
    assert sandboxes_wanted(load(duration_s, cpu_s), slots=20, cores=2) == wanted


@pytest.mark.parametrize(("duration_s", "room"), [(0.0, MAX_AHEAD), (AHEAD_S / 4, 3), (AHEAD_S, 0), (3600, 0)])
def test_shorter_requests_are_sent_further_ahead(duration_s: float, room: int) -> None:
    assert room_ahead(load(duration_s), 0) == room


def test_a_sandbox_gets_more_once_half_of_its_share_is_done() -> None:
    assert room_ahead(load(0.0), MAX_AHEAD) == 0
    assert room_ahead(load(0.0), MAX_AHEAD // 2 + 1) == 0
    assert room_ahead(load(0.0), MAX_AHEAD // 2) == MAX_AHEAD // 2


def test_a_worker_claims_what_it_can_start_or_send_ahead() -> None:
    assert claim_count(None, free_slots=3, active=0, held=0) == 3
    assert claim_count(1.0, free_slots=0, active=20, held=20) == 0
    assert claim_count(0.0001, free_slots=0, active=2, held=2) == 2 * MAX_AHEAD - 2


def test_a_slot_whose_request_ends_soon_finds_another_one_at_once() -> None:
    assert claim_count(0.01, free_slots=0, active=20, held=20) == 20
    assert claim_count(0.01, free_slots=0, active=20, held=40) == 0
    assert claim_count(SLOW_S, free_slots=0, active=20, held=20) == 0


@given(
    duration_s=st.floats(0, 100),
    cpu_s=st.floats(0, 100),
    slots=st.integers(1, 500),
    cores=st.integers(1, 256),
    queued=st.integers(0, 100),
)
def test_decisions_stay_within_their_bounds(
    duration_s: float, cpu_s: float, slots: int, cores: int, queued: int
) -> None:
    known = load(duration_s, cpu_s)
    assert 1 <= sandboxes_wanted(known, slots, cores) <= slots
    assert 0 <= room_ahead(known, queued) <= MAX_AHEAD
    assert claim_count(known.duration_s, slots, 1, queued) >= slots


def test_one_slow_request_moves_the_average_slowly() -> None:
    known = load(0.0001, 0.0001)
    known.record(0.01, 0.01)
    assert known.is_short
    for _ in range(20):
        known.record(0.01, 0.01)
    assert not known.is_short
