# ruff: noqa: UP006, UP007, UP035, UP037, UP045 - as users of older Pythons write them
"""Define functions with string annotations, as `from __future__ import annotations` makes them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Dict, Generic, List, NewType, Optional, TypedDict, TypeVar, Union

import pydantic

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]

    from localfn import Context

Kind = TypeVar("Kind")


class Base(pydantic.BaseModel):
    article: str = "a"


class Order(Base):
    count: int = 1


class Special(Order):
    pass


class Page(pydantic.BaseModel, Generic[Kind]):
    items: list[Kind] = []


class Numbers(pydantic.RootModel[list[int]]):
    pass


class AsDict(TypedDict):
    article: str


@dataclasses.dataclass
class Data:
    article: str


Bought = NewType("Bought", Order)
Json = Union[Dict[str, Any], List[Any], str, None]
PageOfOrders = Page[Order]


def logged(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    return wrapper


def unwrapped(f: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any) -> Any:
        return f(*args)

    return wrapper


def with_database(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def wrapper(event: Any, context: Any) -> Any:
        return f("database", event, context)

    return wrapper


def plain(order: Order, context: Context) -> Any: ...
def optional(order: Optional[Order], context: Context) -> Any: ...
def piped(order: Order | None, context: Context) -> Any: ...
def piped_with_missing(order: Order | Missing, context: Missing) -> Any: ...
def annotated(order: Annotated[Order, "of a shop"], context: Missing) -> Any: ...
def quoted(order: "Order", context: Missing) -> Any: ...
def quoted_inside(order: Optional["Order"], context: Missing) -> Any: ...
def a_new_type(order: Bought, context: Missing) -> Any: ...
def a_base(order: Base, context: Missing) -> Any: ...
def the_base_of_all(order: pydantic.BaseModel, context: Missing) -> Any: ...
def keyword(order: Order, /, context: Missing, *, more: Missing = None) -> Any: ...
@logged
def wrapped(order: Order, context: Missing) -> Any: ...
@with_database
def injected(database: Missing, order: Order, context: Missing) -> Any: ...


INSTANCES = [
    plain, optional, piped, piped_with_missing, annotated, quoted, quoted_inside, a_new_type, a_base, the_base_of_all,
    keyword, wrapped, injected, functools.partial(plain), functools.partial(injected),
]  # fmt: skip


def bare(event, context): ...  # type: ignore[no-untyped-def]
def a_dict(event: dict[str, Any], context: Missing) -> Any: ...
def a_bare_dict(event: dict, context: Missing) -> Any: ...  # type: ignore[type-arg]
def old_dict(event: Dict[str, Any], context: Missing) -> Any: ...
def a_mapping(event: Mapping[str, Any], context: Missing) -> Any: ...
def anything(event: Any, context: Missing) -> Any: ...
def an_object(event: object, context: Missing) -> Any: ...
def typed(event: AsDict, context: Missing) -> Any: ...
def json_value(event: Json, context: Missing) -> Any: ...
@logged
def wrapped_dict(event: dict[str, Any], context: Missing) -> Any: ...


DICTS = [bare, a_dict, a_bare_dict, old_dict, a_mapping, anything, an_object, typed, json_value, wrapped_dict]


def unknown(order: Missing, context: Any) -> Any: ...
def unknown_optional(order: Optional[Missing], context: Any) -> Any: ...
def another_class(order: Data, context: Any) -> Any: ...
def a_subclass(order: Special, context: Any) -> Any: ...
def a_list(order: list[Order], context: Any) -> Any: ...
@unwrapped
def hidden(order: Order, context: Any) -> Any: ...


REFUSED = [
    (unknown, r"annotated_functions.py:\d+: @function on 'unknown': the annotation 'Missing' of parameter 'order'"),
    (unknown_optional, r"cannot be resolved \(NameError: name 'Missing' is not defined\)"),
    (another_class, "parameter 'order' is annotated with Data, and input is Order: annotate it with Order or dict"),
    (a_subclass, "annotated with Special, and input is Order"),
    (a_list, "and input is Order"),
    (hidden, "functools.wraps"),
]


def page(event: Page[Order], context: Missing) -> Any: ...
def any_page(event: Page, context: Missing) -> Any: ...  # type: ignore[type-arg]
def numbers(event: Numbers, context: Missing) -> Any: ...
def list_of_numbers(event: list[int], context: Missing) -> Any: ...


OTHERS = [
    (PageOfOrders, page, True), (PageOfOrders, any_page, True), (Numbers, numbers, True),
    (Numbers, list_of_numbers, False),
]  # fmt: skip
