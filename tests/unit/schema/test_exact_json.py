"""Check that numbers keep their digits through the runtime."""

import decimal
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import exact_json
from schema.engine import to_json
from workqueue import event_json

DIGITS = "0.1000000000000000055511151231257827"
INTEGERS = st.integers(-(10**30), 10**30).map(str)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30).map(str) | INTEGERS
VALUES = st.recursive(
    NUMBERS | st.just("null") | st.sampled_from(['"1.10"', '"number "', "true"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda found: f"[{','.join(found)}]")
        | st.lists(inner, max_size=4).map(
            lambda found: "{" + ",".join(f'"k{place}":{each}' for place, each in enumerate(found)) + "}"
        )
    ),
)


@given(VALUES)
def test_json_is_written_exactly_as_it_was_read(text: str) -> None:
    assert to_json(exact_json.read(text)) == text
    assert to_json(event_json.parse(text.encode(), 10**6)) == text


@pytest.mark.parametrize(
    "text", ["-0", "1.10", "1e5", "1E+2", "-0.0", "-0e0", DIGITS, "123456789012345678.25", "5e-400"]
)
def test_a_number_is_a_float_to_all_other_code(text: str) -> None:
    read = exact_json.read(f'{{"n": {text}}}')["n"]

    assert isinstance(read, float)
    assert read == float(text)
    assert json.loads(json.dumps(read)) == read
    assert exact_json.write([read], partial(json.dumps, indent=1)) == f"[\n {text}\n]"


@pytest.mark.parametrize("value", [{"number abc 1": "number 2.50"}, [decimal.Decimal(1)], {1: 2.5}])
def test_values_without_exact_numbers_use_the_plain_encoder(value: Any) -> None:
    assert exact_json.write(value, str) == str(value)


def test_a_deeply_nested_value_is_written() -> None:
    text = "[" * 500 + "1.10" + "]" * 500
    assert exact_json.write(exact_json.read(text)) == text
