"""Check that a result is stored exactly, or rejected with the path of the wrong value."""

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import types
import uuid
from collections import Counter, OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from localfn.outcome.failure import ResultNotSerializableError
from localfn.outcome.result import MAX_DEPTH, to_json

Pair = namedtuple("Pair", "a b")


class Colour(enum.Enum):
    RED = "red"


class Named(str, enum.Enum):  # noqa: UP042 - as users of older Pythons write it
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


class NaT(datetime.datetime):
    """Behave like pandas' NaT: a datetime that equals no value."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def isoformat(self, *_: Any, **__: Any) -> str:
        return "NaT"


class Scalar:
    """Behave like numpy's scalars."""

    def tolist(self) -> int:
        return 1

    def __float__(self) -> float:
        return 1.0


@dataclasses.dataclass
class Row:
    values: Any


class Model(BaseModel):
    price: decimal.Decimal


def write(value: Any) -> str:
    return to_json(value).decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**30, "1" + "0" * 30),
        (-(10**4299), "-1" + "0" * 4299),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (1e22, "1e+22"),
        (5e-324, "5e-324"),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827"),
        (decimal.Decimal("12345678901234567890.5"), "12345678901234567890.5"),
        (decimal.Decimal(7), "7"),
        (decimal.Decimal("1E+3"), "1000"),
        (decimal.Decimal("-1E-30"), "-1E-30"),
        (decimal.Decimal("0E-7"), "0E-7"),
        (decimal.Decimal("-0.00"), "-0.00"),
        ({"a": [decimal.Decimal("2.50"), "decimal 2.50"]}, '{"a":[2.50,"decimal 2.50"]}'),
        (True, "true"),
        ({1: "a", "2": "b", None: 1, False: 2}, '{"1":"a","2":"b","null":1,"false":2}'),
        ({1.5: "a"}, '{"1.5":"a"}'),
        ({Named.RED: Number.ONE}, '{"red":1}'),
        (Loud("quiet"), '"quiet"'),
        (Pair(1, 2), "[1,2]"),
        (Counter("aab"), '{"a":2,"b":1}'),
        (OrderedDict(z=1, a=2), '{"z":1,"a":2}'),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 600), '"2026-01-02T03:04:05.000600"'),  # noqa: DTZ001 - naive
        (datetime.time(1, 2), '"01:02:00"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (Row([decimal.Decimal("1.0")]), '{"values":[1.0]}'),
        (Model(price=decimal.Decimal("1.10")), '{"price":"1.10"}'),
        ("€ \u2028 \\u0000", '"€ \u2028 \\\\u0000"'),
    ],
)
def test_a_value_keeps_its_digits_and_its_text(value: Any, text: str) -> None:
    assert write(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(-(10**40), 10**40, places=20))
def test_every_decimal_is_written_exactly_or_rejected(value: decimal.Decimal) -> None:
    try:
        text = write([value])
    except ResultNotSerializableError as error:
        assert "too large" in str(error)  # noqa: PT017 - only what is refused has words
        return
    (read,) = json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)
    has_zeros_for_exponent = "E" not in text and "E+" in str(value)
    assert read.compare_total(value) == 0 or (has_zeros_for_exponent and read == value)


def make_circular() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["self"] = [loop]
    return loop


def nest(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, "$: a set is not JSON; use sorted(…) or list(…)"),
        ({"rows": [0, {"price": b"x"}]}, "$.rows[1].price: a bytes is not JSON; write it as text, base64"),
        ({"a b": Colour.RED}, '$["a b"]: a tests.unit.localfn.test_results.Colour is not JSON; use its .value'),
        (datetime.timedelta(1), "$: a datetime.timedelta is not JSON; use .total_seconds()"),
        (types.MappingProxyType({}), "a mappingproxy is not JSON; use dict(…)"),
        (iter([1]), "a list_iterator is not JSON; use list(…)"),
        ((x for x in [0]), "a generator is not JSON; use list(…)"),
        (Scalar(), "Scalar is not JSON; use .tolist()"),
        (1j, "a complex is not JSON"),
        (Row, "a type is not JSON"),
        ({"when": NaT(2026, 1, 1)}, "$.when: a tests.unit.localfn.test_results.NaT is not a time; use None"),
        ([1.0, float("nan")], "$[1]: nan is not JSON; use None or a text"),
        ({"a": float("-inf")}, "$.a: -inf is not JSON"),
        (decimal.Decimal("NaN"), "$: Decimal('NaN') is not JSON; use None or a text"),
        (decimal.Decimal("sNaN"), "$: Decimal('sNaN') is not JSON"),
        (decimal.Decimal("-Infinity"), "$: Decimal('-Infinity') is not JSON"),
        (decimal.Decimal("1E+5000"), "$: the Decimal is too large"),
        (decimal.Decimal("1" * 400 + ".5"), "$: the Decimal is too large"),
        ({"n": 10**4300}, "$.n: a whole number has more than the 4,300 digits that Python reads; use a text"),
        ({1: "a", "1": "b"}, "$: the keys 1 and '1' are both '1' as text"),
        ({"x": [{None: 1, "null": 2}]}, "$.x[0]: the keys None and 'null' are both 'null' as text"),
        ({True: 1, "true": 2}, "are both 'true' as text"),
        ({1.5: 1, "1.5": 2}, "are both '1.5' as text"),
        (Row({2: 1, "2": 2}), "$.values: the keys 2 and '2' are both '2' as text"),
        ({"x": {(1, 2): 3}}, "$.x: the key (1, 2) is a tuple; keys are texts: use str(…)"),
        ({uuid.UUID(int=1): 3}, "is a uuid.UUID; keys are texts"),
        ({Colour.RED: 3}, "Colour; keys are texts"),
        ({datetime.date(2026, 1, 1): 3}, "is a datetime.date; keys are texts"),
        ({float("nan"): 3}, "$: the key nan is not JSON; use a text"),
        (["ok", "a\ud800b"], "$[1]: a text contains an unpaired surrogate, U+D800: it is not valid Unicode"),
        ({"\udfff": 1}, "$: a text contains an unpaired surrogate, U+DFFF"),
        ({"a": "x\0"}, "$.a: a text contains the character U+0000, which PostgreSQL cannot store"),
        ({"a\0": 1}, "$: a text contains the character U+0000"),
        (Row(pathlib.PurePosixPath("a\udcff")), "$.values: a text contains an unpaired surrogate, U+DCFF"),
        (make_circular(), "$.self[0]: it contains itself"),
        (nest(MAX_DEPTH + 1), f"it is nested deeper than {MAX_DEPTH} levels"),
        (nest(100_000), f"it is nested deeper than {MAX_DEPTH} levels"),
        ({"long " * 100: {1}}, "…: a set is not JSON"),
    ],
)
def test_a_value_that_json_cannot_hold_is_rejected_with_path_type_and_advice(value: Any, words: str) -> None:
    with pytest.raises(ResultNotSerializableError) as caught:
        to_json(value)

    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_result_of_the_maximum_depth_is_written() -> None:
    assert json.loads(write(nest(MAX_DEPTH - 1))) == nest(MAX_DEPTH - 1)


def test_a_coroutine_is_rejected_with_advice() -> None:
    async def later() -> None: ...

    coroutine = later()
    with pytest.raises(ResultNotSerializableError, match=r"a coroutine is not JSON; run it with asyncio.run"):
        to_json(coroutine)
    coroutine.close()


def test_bytes_can_be_written_as_the_message_says() -> None:
    assert write(base64.b64encode(b"x").decode()) == '"eA=="'


def test_an_error_of_the_users_conversion_is_the_users_error() -> None:
    class Broken:
        def model_dump(self, **_: Any) -> Any:
            raise RuntimeError("no dump")

    with pytest.raises(RuntimeError, match="no dump"):
        to_json([Broken()])
