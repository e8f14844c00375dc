"""Check the options of @function, and the errors for wrong values."""

import functools
import re
from pathlib import Path
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
        ({"timeout_s": 0}, r"timeout_s=0: use a number of seconds above 0, at most 3600"),
        ({"timeout_s": 3601}, "timeout_s=3601"),
        ({"timeout_s": "5"}, "timeout_s='5'"),
        ({"timeout_s": float("nan")}, "timeout_s=nan"),
        ({"timeout_s": float("inf")}, "timeout_s=inf"),
        ({"timeout_s": 10**400}, "timeout_s=1000"),
        ({"timeout_s": None}, "timeout_s=None"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 1.5}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts=True"),
        ({"max_attempts": 10**400}, "max_attempts=1000"),
        ({"network": "no"}, "network='no'"),
        ({"queue": "a b"}, "queue='a b'"),
        ({"queue": None}, "queue=None"),
        ({"name": ""}, "name=''"),
        ({"name": 5}, "name=5"),
        ({"memory_mb": -1}, "memory_mb=-1: use a whole number from 32"),
        ({"memory_mb": 256.0}, r"memory_mb=256\.0"),
        ({"environment": ["A"]}, r"environment=\['A'\]"),
        ({"environment": {"A": "\udcff"}}, r"environment: \$.A: a text contains an unpaired surrogate"),
        ({"on_lost": ["fail"]}, "on_lost"),
        ({"timeout": 5}, r"no option 'timeout'; did you mean timeout_s\?"),
        ({"colour": "red"}, r"no option 'colour'; the options are name, input, timeout_s"),
        ({"schedule": {"expression": "@daily", "event": {1: 1, "1": 2}}}, "both '1' as text"),
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
def test_a_wrong_option_is_rejected_by_its_name(options: dict[str, Any], word: str) -> None:
    with pytest.raises(LocalfnError, match=word):
        function(**options)(body)


def test_an_async_function_is_rejected_with_advice() -> None:
    with pytest.raises(LocalfnError, match=r"asyncio\.run"):
        function(later)


def generates(event: Any, context: Context) -> Any:
    yield event


async def generates_later(event: Any, context: Context) -> Any:
    yield event


def takes_one(event: Any) -> Any: ...


def takes_three(event: Any, context: Context, database: Any) -> Any: ...


def takes_keywords(*, event: Any, context: Context) -> Any: ...


def takes_context_by_name(event: Any, *, context: Context) -> Any: ...


def takes_one_by_place(event: Any = None, /, **others: Any) -> Any: ...


class Task:
    def __init__(self, event: Any, context: Context) -> None: ...

    def run(self, event: Any, context: Context) -> Any: ...

    @classmethod
    def made(cls, event: Any, context: Context) -> Any: ...


class AsyncTask:
    async def __call__(self, event: Any, context: Context) -> Any: ...


class CallableTask:
    """Of the class."""

    def __call__(self, event: Any, context: Context) -> Any:
        """Of the call."""
        return event, context


UNFIT = [
    (later, "it is an async function"),
    (functools.partial(later), "it is an async function"),
    (AsyncTask(), "it is an async function"),
    (generates, "it is a generator function, whose body would never run"),
    (generates_later, "it is an async generator function"),
    (takes_one, r"it is called with \(event, context\), and takes \(event\)"),
    (takes_three, r"takes \(event, context, database\)"),
    (takes_keywords, r"takes \(\*, event, context\); event, context can only be passed by name: take the \* out"),
    (takes_context_by_name, r"takes \(event, \*, context\); context can only be passed by name: take the \* out"),
    (takes_one_by_place, r"takes \(event=None, /, \*\*others\)$"),
    (Task.run, r"takes \(self, event, context\)"),
    (Task, "it is a class"),
    (classmethod(body), "it is a classmethod"),
    ("body", "it is a str"),
    (None, "it is a NoneType"),
]


@pytest.mark.parametrize(("unfit", "words"), UNFIT)
def test_a_callable_with_the_wrong_signature_is_rejected_as_function(unfit: Any, words: str) -> None:
    with pytest.raises(LocalfnError, match=words):
        function(name="f")(unfit)


@pytest.mark.parametrize("kind", ["validate", "cleanup"])
@pytest.mark.parametrize(("unfit", "words"), UNFIT)
def test_a_callable_with_the_wrong_signature_is_rejected_as_hook(kind: str, unfit: Any, words: str) -> None:
    made = function(body)
    with pytest.raises(LocalfnError, match=f"@body.{kind} on .*{words}"):
        getattr(made, kind)(unfit)


@pytest.mark.parametrize("kind", ["validate", "cleanup"])
def test_a_second_hook_of_a_kind_is_rejected_with_the_place_of_the_first(kind: str) -> None:
    made = function(body)
    register = getattr(made, kind)
    register(body)
    with pytest.raises(LocalfnError, match=rf"it would replace the {kind} hook of .*test_declaration.py:\d+"):
        register(lambda *both: both)


def test_a_refusal_names_file_and_line() -> None:
    with pytest.raises(LocalfnError, match=rf"^{re.escape(__file__)}:\d+: @function on 'takes_one': it is called"):
        function(takes_one)  # type: ignore[arg-type]


def test_an_unknown_option_is_rejected_with_file_and_line() -> None:
    place = rf"^{re.escape(__file__)}:{body.__code__.co_firstlineno}: "
    with pytest.raises(LocalfnError, match=rf"{place}@function on 'body': there is no option 'memory'; did you mean"):
        function(memory=64)(body)  # type: ignore[call-overload]


def test_a_function_that_is_declared_twice_is_rejected() -> None:
    with pytest.raises(LocalfnError, match="it is declared already"):
        function(name="again")(function(body))


@pytest.mark.parametrize(
    ("called", "description"),
    [
        (functools.partial(body), "First line.\n\nMore."),
        (CallableTask(), "Of the call."),
        (Task({}, Context(request_id="1", function_name="f", workdir="/")).run, ""),
        (Task.made, ""),
        (lambda *both: both, ""),
    ],
)
def test_partials_methods_objects_and_lambdas_are_functions_under_a_name(called: Any, description: str) -> None:
    described = function(name="named")(called).describe()
    assert (described["name"], described["description"]) == ("named", description)
    assert described["source_file"] == __file__
    assert described["source_line"] > 0


def test_a_callable_without_a_valid_name_needs_name() -> None:
    with pytest.raises(LocalfnError, match="a partial has no name; give it one with name="):
        function(functools.partial(body))
    with pytest.raises(LocalfnError, match="name='<lambda>'"):
        function(lambda *both: both)


def test_one_decorator_declares_several_functions() -> None:
    declare = function(timeout_s=5)
    assert [declare(made).describe()["timeout_s"] for made in (body, body)] == [5, 5]


def test_a_retry_takes_no_negative_delay() -> None:
    with pytest.raises(LocalfnError):
        Retry(delay_s=-1)


def test_a_schedule_is_an_expression_or_a_dict_of_its_fields() -> None:
    assert function(body).describe()["schedule"] is None
    assert function(schedule="rate(5 minutes)")(body).describe()["schedule"] == {"expression": "rate(5 minutes)"}
    fields = {"expression": "@daily", "timezone": "Europe/Berlin", "event": {"a": [1]}}
    assert function(schedule=fields)(body).describe()["schedule"] == fields


@pytest.mark.parametrize("name", [5, b"a.txt", Path("a.txt")])
def test_the_name_of_an_output_file_is_a_text(tmp_path: Path, name: Any) -> None:
    (tmp_path / "a.txt").write_text("x")
    context = Context(request_id="1", function_name="f", workdir=tmp_path)
    with pytest.raises(LocalfnError, match=r"save_file: name=.* use a str"):
        context.save_file("a.txt", name=name)
