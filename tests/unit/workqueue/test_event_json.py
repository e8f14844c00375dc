"""Check which JSON is accepted as an event."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localfn.outcome.failure import ResultNotSerializableError
from localfn.outcome.result import to_json
from workqueue import event_json
from workqueue.errors import BadEventError, EventTooLargeError

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(JSON)
def test_every_json_value_is_read_unchanged(value: Any) -> None:
    for ascii_only in (True, False):
        assert event_json.parse(json.dumps(value, ensure_ascii=ascii_only).encode(), 10**6) == value


@given(st.binary(max_size=60) | st.text('[]{}":,\\u0dD8901eE.-+ NaInfity', max_size=40).map(str.encode))
def test_any_bytes_are_parsed_or_rejected_with_a_message(body: bytes) -> None:
    try:
        value = event_json.parse(body, 10**6)
    except BadEventError:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@given(JSON)
def test_the_worker_accepts_all_json_that_the_sandbox_writes(value: Any) -> None:
    written = to_json(value)
    event_json.check_characters(written.decode())
    assert json.loads(written) == value


@pytest.mark.parametrize("value", ["a\0b", {"\0": 1}, "\ud800", float("inf"), {1, 2}, object(), b"x"])
def test_a_value_that_json_or_postgresql_cannot_hold_is_rejected(value: Any) -> None:
    with pytest.raises(ResultNotSerializableError):
        to_json(value)


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", "\\"])
def test_an_escaped_backslash_is_no_nul(value: str) -> None:
    assert json.loads(to_json(value)) == value
    assert event_json.parse(json.dumps(value).encode(), 100) == value


def test_an_unclosed_text_is_rejected_in_linear_time() -> None:
    # A quadratic parser takes minutes, and fails by the time limit of the suite.
    with pytest.raises(BadEventError):
        event_json.parse(b'"' + b'\\"' * 500_000, 10**7)


def test_an_empty_body_is_an_empty_object_and_a_byte_order_mark_is_ignored() -> None:
    assert event_json.read_event(b"", 10) == event_json.JsonText(b"{}")
    assert event_json.parse(b"\xef\xbb\xbf[1]", 10) == [1]


def test_one_byte_too_many_is_rejected_before_anything_else() -> None:
    assert event_json.parse(b'"12345678"', 10) == "12345678"
    with pytest.raises(EventTooLargeError):
        event_json.parse(b'"123456789"', 10)


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}"), ('[{"a]":', "}]")])
def test_at_most_a_hundred_levels_of_nesting_are_accepted(start: str, end: str) -> None:
    levels = 100 // (start.count("[") + start.count("{"))
    for more, fits in ((0, True), (1, False)):
        body = (start * (levels + more) + '"[[["' + end * (levels + more)).encode()
        if fits:
            assert event_json.parse(body, len(body))
        else:
            with pytest.raises(BadEventError, match="deeper than 100"):
                event_json.parse(body, len(body))
    with pytest.raises(BadEventError):
        event_json.parse((start * 200_000).encode(), 10**9)


@pytest.mark.parametrize("largest", [8, 9, 16, 1000])
@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b'\xef\xbb\xbf [ 1 , 22222,[],{},\n null,true , "a"]\n ',
        b"[12345678,12345678,1.5,-1]",
        '["äöü","😀",["😀"],"ä"]'.encode(),
        b"[" + b"1," * 500 + b"1]",
        b"[" + b"     [1],\n" * 50 + b"[]]",
    ],
)
def test_a_batch_is_read_in_pieces_of_any_size_as_one_value(body: bytes, largest: int) -> None:
    found = event_json.BatchReader(body, largest).read(1000)
    assert [json.loads(each.utf8) for each in found] == event_json.parse(body, 10**6)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'["12345678"]', EventTooLargeError, "Event 0"),
        (b'[1,"1234567890"]', EventTooLargeError, "Event 1"),
        (b"[1,123456789]", EventTooLargeError, "Event 1"),
        (b"[1,[[[[[]]]]]]", EventTooLargeError, "Event 1"),
        (b"[1\n,]", BadEventError, "line 2, column 2"),
        (b"[1,2 3,4,5,6,7,8,9,10]", BadEventError, "line 1, column 6"),
        (b"[1,2,3,4,5,6,7,8,9,10}", BadEventError, "line 1, column 22"),
        (b"[1,2,3,4,5,6,7,8,9,10", BadEventError, "line 1, column 22"),
        (b"[1] [2]", BadEventError, "Extra data"),
        (b"[1,NaN]", BadEventError, "NaN"),
        (b'[1,"\\u0000"]', BadEventError, "U+0000"),
        (b"[1,2,3,4,5,6,7,8,9,\xff]", BadEventError, "byte 19 is 0xff"),
        (b"{}", event_json.InvalidBatchError, ""),
        (b"[ ]", event_json.InvalidBatchError, ""),
        (b"[" + b"1," * 1000 + b"1]", event_json.InvalidBatchError, ""),
        (b"", event_json.InvalidBatchError, ""),
        (b"{", BadEventError, "column"),
    ],
)
def test_a_bad_batch_is_rejected_with_its_index(body: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        event_json.BatchReader(body, 8).read(1000)
    assert words in str(caught.value)


NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?\Z")


@given(NUMBERS)
@example("-0")
def test_a_number_of_an_event_keeps_its_digits(digits: str) -> None:
    body = f'{{"a":[{digits}]}}'
    assert event_json.read_event(body.encode(), 10**6).utf8.decode() == body
    assert event_json.BatchReader(f"[{body}]".encode(), 10**6).read(1)[0].utf8.decode() == body


@pytest.mark.parametrize("body", ['{"a":1,"a":2}', '[{"b":{"a":1,"\\u0061":1}}]', '{"":1,"":1}'])
def test_a_duplicate_key_is_rejected(body: str) -> None:
    for read in (
        lambda: event_json.read_event(body.encode(), 100),
        lambda: event_json.parse(body.encode(), 100),
        lambda: event_json.BatchReader(f"[{body}]".encode(), 100).read(1),
    ):
        with pytest.raises(BadEventError, match="appears twice"):
            read()
