"""Decide which pools are gone: only silent ones, and only when another pool was live all that time."""

from datetime import UTC, datetime, timedelta

import pytest

from workqueue.functions.pools import PoolState, find_gone, has_witness, merge
from workqueue.functions.registry import ImportFailure, Registry

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
UNKNOWN_S = 60.0


def pool(name: str, seen_s: float, live_s: float | None = None, *, is_gone: bool = False) -> PoolState:
    """Return a pool that was seen `seen_s` seconds ago, and that has been live for `live_s`."""
    live_since = None if live_s is None else NOW - timedelta(seconds=live_s)
    return PoolState(name, is_gone, NOW - timedelta(seconds=seen_s), live_since)


@pytest.mark.parametrize(
    ("pools", "gone"),
    [
        ([pool("a", 1, 3600)], []),
        ([pool("a", 3600, 7200)], []),  # the only one: its machine is off
        ([pool("a", 3600, 7200), pool("b", 3600, 7200)], []),  # the same, or an outage of PostgreSQL
        ([pool("a", 3600, 7200), pool("b", 0, 5)], []),  # both boot, b is the first
        ([pool("a", 59, 7200), pool("b", 0, 3600)], []),  # a restarts
        ([pool("a", 61, 7200), pool("b", 0, 3600)], ["a"]),
        ([pool("a", 61, 7200, is_gone=True), pool("b", 0, 3600)], []),
        ([pool("a", 3600), pool("b", 0, 61)], ["a"]),  # PostgreSQL crashed and lost the heartbeats; a did not return
    ],
)
def test_a_pool_is_gone_when_it_is_silent_while_another_lives(pools: list[PoolState], gone: list[str]) -> None:
    assert [each.name for each in find_gone(pools, NOW, UNKNOWN_S)] == gone


def test_a_short_limit_does_not_make_a_pool_gone_between_two_heartbeats() -> None:
    pools = [pool("a", 3, 3600), pool("b", 0, 3600)]
    assert has_witness(pools, NOW, 0.1)
    assert not find_gone(pools, NOW, 0.1)


def test_the_later_of_two_registries_describes_what_both_have() -> None:
    first, second = (Registry(failures=(ImportFailure("u", "u.py", "E", message, ""),)) for message in ("old", "new"))
    assert merge([first, second]) == second
