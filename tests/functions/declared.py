"""Declare functions as users do: decorated ones, annotations for type checkers only, hooks that never run."""

from __future__ import annotations

import asyncio
import decimal
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import pydantic

from localfn import function

if TYPE_CHECKING:
    from localfn import Context


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    article: str = pydantic.Field(alias="Article")
    price: Optional[decimal.Decimal] = None  # noqa: UP045 - as users of older Pythons write it
    due: Optional[pydantic.AwareDatetime] = None  # noqa: UP045


def logged(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    return wrapper


def unwrapped(f: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(event: Any, context: Any) -> Any:
        return f(event, context)

    return wrapper


def told(order: Any) -> dict[str, Any]:
    return {"type": type(order).__name__, "price": str(order.price), "due": order.due}


@function(input=Order)
def checked_by_type_checkers(order: Order, context: Context) -> Any:
    return told(order)


@function(input=Order)
@logged
def decorated_order(order: Order, context: Context) -> Any:
    return told(order)


@function(input=Order)
def optional_order(order: Optional[Order], context: Context) -> Any:  # noqa: UP045
    return told(order)


function(name="from_partial", input=Order)(functools.partial(checked_by_type_checkers.body))
function(name="from_standard_library")(unwrapped(os.path.join))


@function
def hooked_by_wrappers(event: Any, context: Context) -> Any:
    return event


@hooked_by_wrappers.validate
@unwrapped
async def check_later(event: Any, context: Context) -> Any:
    return event


@function
def forgets_to_return(event: Any, context: Context) -> Any:
    return event


@forgets_to_return.validate
def forget(event: Any, context: Context) -> None:
    assert event


@function
def cleans_by_generator(event: Any, context: Context) -> Any:
    return event


@cleans_by_generator.cleanup
@unwrapped
def clean_in_steps(event: Any, context: Context) -> Any:
    yield event


@function
def returns_a_coroutine(event: Any, context: Context) -> Any:
    return asyncio.sleep(0)


@function(input=Order)
def exits_with_a_model(order: Order, context: Context) -> Any:
    os._exit(1)


@exits_with_a_model.cleanup
def note(order: Order, context: Context) -> None:
    Path(order.article).write_text(str(order.price))


class Amounts(pydantic.BaseModel):
    amounts: list[decimal.Decimal]


@function(input=Amounts)
def add_up(found: Amounts, context: Context) -> Any:
    return {"sum": sum(found.amounts), "amounts": found.amounts, "big": 10**30, "small": 5e-324, "minus": -0.0}


@function
def nest(event: Any, context: Context) -> Any:
    value: Any = 1
    for _ in range(event):
        value = [value]
    return value
