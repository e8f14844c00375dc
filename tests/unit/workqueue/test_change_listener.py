"""Check that the number of waiting clients of a process is limited."""

from typing import cast
from uuid import uuid4

import pytest
from redis import Redis

from workqueue.transport import change_listener
from workqueue.transport.change_listener import ChangeListener


def test_a_client_above_the_limit_gets_an_answer_that_says_it_did_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_listener, "MAX_WAITERS", 0)
    nobody = ChangeListener(cast("Redis", None))
    assert nobody.wait_for(uuid4(), lambda: None, 60) == (None, False)
    assert nobody.wait_for(uuid4(), lambda: "ended", 60) == ("ended", False)
