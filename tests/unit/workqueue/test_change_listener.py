"""Check how clients wait: with a limit, and without a look at a request that cannot have changed yet."""

from typing import cast
from uuid import uuid4

import pytest
from redis import Redis

from workqueue.transport import change_listener
from workqueue.transport.change_listener import ChangeListener, Waiter


def test_a_client_above_the_limit_cannot_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_listener, "MAX_WAITERS", 0)
    with ChangeListener(cast("Redis", None)).enter(uuid4()) as waiter:
        assert waiter is None


def test_a_new_request_is_read_once_a_change_is_announced_and_not_before() -> None:
    waiter = Waiter(ChangeListener(cast("Redis", None)), uuid4())
    polls: list[bool] = []

    def poll() -> str | None:
        polls.append(waiter.woken.is_set())
        return "ended"

    waiter.woken.set()
    assert waiter.wait_for(poll, 60, poll_first=False) == "ended"
    assert waiter.wait_for(poll, 60) == "ended", "an older request is read at once"
    assert len(polls) == 2
