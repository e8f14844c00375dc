"""@function: what it takes, and what it says to a wrong value."""

from typing import Any

import pytest

from localfn import Context, Function, LocalfnError, Retry, function


def body(event: Any, context: Context) -> Any:
    """First line.

    More.
    """
    return event


async def later(event: Any, context: Context) -> Any:
    return event


def test_a_declared_function_is_still_callable_and_describes_itself() -> None:
    made = function(timeout_s=5, memory_mb=64, environment={"A": "b"})(body)
    assert isinstance(made, Function)
    context = Context(request_id="1", function_name="body", workdir="/")
    assert made({"a": 1}, context) == {"a": 1}
    described = made.describe()
    assert (described["name"], described["timeout_s"], described["memory_mb"]) == ("body", 5, 64)
    assert described["network"] is True
    assert function(network=False)(body).describe()["network"] is False
    assert described["description"] == "First line.\n\nMore."
    assert described["source_file"] == __file__


def test_the_bare_decorator_takes_the_defaults() -> None:
    described = function(body).describe()
    assert (described["timeout_s"], described["max_attempts"], described["queue"]) == (3600.0, 1, "default")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 3601}, "timeout_s"),
        ({"timeout_s": "5"}, "timeout_s"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 1.5}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts"),
        ({"memory_mb": 1}, "memory_mb"),
        ({"memory_mb": 10_000_000_000}, "memory_mb"),
        ({"retry_delay_s": 1e12}, "retry_delay_s"),
        ({"environment": {"A=B": "x"}}, "environment"),
        ({"environment": {"A": "x\0"}}, "environment"),
        ({"name": "a b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"queue": ""}, "queue"),
        ({"retry_delay_s": -1}, "retry_delay_s"),
        ({"retry_max_delay_s": float("nan")}, "retry_max_delay_s"),
        ({"on_lost": "maybe"}, "on_lost"),
        ({"environment": {"A": 1}}, "environment"),
        ({"input": "text"}, "input"),
        ({"schedule": 5}, "schedule"),
        ({"schedule": {"timezone": "UTC"}}, "expression"),
        ({"schedule": {"expression": "@daily", "event": float("nan")}}, "schedule"),
        ({"schedule": {"expression": "@daily", "event": object()}}, "schedule"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(options: dict[str, Any], word: str) -> None:
    with pytest.raises(LocalfnError, match=word):
        function(**options)(body)


def test_an_async_function_is_refused_with_advice() -> None:
    with pytest.raises(LocalfnError, match=r"asyncio\.run"):
        function(later)


def test_a_retry_takes_no_negative_delay() -> None:
    with pytest.raises(LocalfnError):
        Retry(delay_s=-1)


def test_a_schedule_is_an_expression_or_a_dict_of_its_fields() -> None:
    assert function(body).describe()["schedule"] is None
    assert function(schedule="rate(5 minutes)")(body).describe()["schedule"] == {"expression": "rate(5 minutes)"}
    fields = {"expression": "@daily", "timezone": "Europe/Berlin", "event": {"a": [1]}}
    assert function(schedule=fields)(body).describe()["schedule"] == fields
