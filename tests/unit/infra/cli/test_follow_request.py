"""Check how long a command waits for an unresponsive runtime."""

from typing import NoReturn

import pytest

from infra.api_client import UnreachableError
from infra.cli.output.follow_request import WaitedTooLongError, WaitLimit
from infra.cli.output.progress import Progress


def unreachable(_: float) -> NoReturn:
    raise UnreachableError("it is away.")


def test_with_a_timeout_an_unresponsive_runtime_is_given_up_at_the_timeout() -> None:
    wait_limit = WaitLimit("id", 0.2, Progress(), silence_s=0)

    with pytest.raises(WaitedTooLongError, match=r"waited 0\.2 s; the request continues; see localfn requests show id"):
        wait_limit.retry(unreachable)


def test_without_a_timeout_an_unresponsive_runtime_is_given_up_later() -> None:
    wait_limit = WaitLimit("id", None, Progress(), silence_s=0.2)

    with pytest.raises(UnreachableError, match=r"away\. It was unreachable for 0\.2 s; the request continues"):
        wait_limit.retry(unreachable)


def test_a_restarted_runtime_is_asked_again() -> None:
    answers = iter([UnreachableError("it is away."), None])

    def ask(_: float) -> str:
        if error := next(answers):
            raise error
        return "back"

    assert WaitLimit("id", None, Progress()).retry(ask) == "back"
