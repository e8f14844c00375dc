"""Check `input=` with a pydantic model: the function gets the annotated type, or its declaration is rejected."""

import datetime
import decimal
import enum
import json
import uuid
from collections.abc import Callable
from typing import Annotated, Any

import pydantic
import pytest

from localfn import Context, LocalfnError, function
from localfn.checks.model import read_event
from tests.unit.localfn import annotated_functions as given
from tests.unit.localfn.annotated_functions import Order

Body = Callable[..., Any]


def named(body: Any) -> str:
    return getattr(body, "__name__", "partial")


@pytest.mark.parametrize("body", given.INSTANCES, ids=named)
def test_a_function_that_names_its_model_gets_an_instance(body: Body) -> None:
    assert function(input=Order, name="f")(body).wants_instance()


@pytest.mark.parametrize("body", given.DICTS, ids=named)
def test_a_function_that_names_no_class_gets_a_dict(body: Body) -> None:
    assert not function(input=Order, name="f")(body).wants_instance()


@pytest.mark.parametrize(("body", "words"), given.REFUSED, ids=lambda case: named(case) if callable(case) else "")
def test_a_function_annotated_with_neither_model_nor_dict_is_rejected_at_discovery(body: Body, words: str) -> None:
    made = function(input=Order)(body)
    with pytest.raises(LocalfnError, match=words):
        made.describe()


@pytest.mark.parametrize(("model", "body", "instance"), given.OTHERS)
def test_generic_and_root_models_are_known_by_their_annotation(model: Any, body: Body, instance: bool) -> None:
    assert function(input=model)(body).wants_instance() is instance


def test_a_model_of_a_local_scope_is_known_by_its_name() -> None:
    class Local(pydantic.BaseModel):
        n: int

    def body(local: "Local", context: "Context") -> Any: ...

    assert function(input=Local)(body).wants_instance()


def test_annotations_that_are_no_texts_are_understood_too() -> None:
    def body(order: Annotated[Order | None, "x"], context: Context) -> Any: ...

    assert function(input=Order)(body).wants_instance()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Order(), r"input=Order\("),
        (list[Order], r"input=list\[.*Order\]: use a pydantic model class \(pydantic.RootModel"),
        (given.Data, "use a pydantic model class"),
        (given.AsDict, "use a pydantic model class"),
        (Order | None, "use a pydantic model class"),
        (dict, "use a pydantic model class"),
        ("Order", "input='Order'"),
        (42, "input=42"),
    ],
)
def test_an_input_that_is_not_a_model_is_rejected_with_its_value(model: Any, words: str) -> None:
    with pytest.raises(LocalfnError, match=words):
        function(input=model)(given.bare)


def test_a_model_of_pydantic_1_is_rejected_by_its_kind() -> None:
    class Old:
        @classmethod
        def parse_obj(cls, value: Any) -> Any: ...

    with pytest.raises(LocalfnError, match="models of pydantic 1 are not supported"):
        function(input=Old)(given.bare)


def test_a_model_without_a_json_schema_is_rejected_with_the_reason() -> None:
    class Calls(pydantic.BaseModel):
        call: Callable[[], None]

    with pytest.raises(LocalfnError, match="on 'bare': input=Calls: it cannot be converted to a JSON Schema: Cannot"):
        function(input=Calls)(given.bare).describe()


class Size(enum.Enum):
    SMALL = "small"


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    day: datetime.date
    at: datetime.datetime
    id: uuid.UUID
    pair: tuple[int, str]
    tags: set[str]
    raw: bytes
    size: Size
    price: decimal.Decimal
    factor: float
    count: int


EVENT = """{"day": "2026-11-30", "at": "2026-11-30T12:00:00Z", "id": "00000000-0000-0000-0000-000000000001",
"pair": [1, "x"], "tags": ["a"], "raw": "abc", "size": "small", "price": %s, "factor": 1.10, "count": %s}"""


@pytest.mark.parametrize(
    "price", ["1.10", "0.1000000000000000055511151231257827", "123456789012345678901234567890", "1E+2"]
)
def test_a_strict_model_takes_json_and_keeps_every_digit(price: str) -> None:
    read = read_event(Strict, EVENT % (price, 10**30))

    assert str(read.price) == price
    assert (read.day, read.id, read.pair) == (datetime.date(2026, 11, 30), uuid.UUID(int=1), (1, "x"))
    assert (read.tags, read.raw, read.size) == ({"a"}, b"abc", Size.SMALL)
    assert (type(read.factor), read.factor, read.count) == (float, 1.1, 10**30)


@pytest.mark.parametrize(("price", "count"), [('"x"', 1), ("1.1", '"1"'), ("1.1", "1.5")])
def test_a_strict_model_rejects_values_of_another_type(price: str, count: Any) -> None:
    with pytest.raises(pydantic.ValidationError):
        read_event(Strict, EVENT % (price, count))


def test_a_decimal_deep_inside_keeps_its_digits() -> None:
    class Line(pydantic.BaseModel):
        price: Annotated[decimal.Decimal, pydantic.Field(strict=True)]

    class Invoice(pydantic.BaseModel):
        lines: dict[str, list[Line]]

    read = read_event(Invoice, json.dumps({"lines": {"a": [{"price": 0}]}}).replace("0}", "2.50}"))
    assert str(read.lines["a"][0].price) == "2.50"
