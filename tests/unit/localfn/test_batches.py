"""Check that a sandbox reads each event of a batch with its own text, with any whitespace."""

import json

import pytest

from localfn.runtime.sandbox_main import _parse_events


@pytest.mark.parametrize(
    "body",
    [
        '[1.10,{"a":[1,2]},"],[",null,[],1e400,"ä€"]',
        '[ 1.10 , {"a": [1,\n2]}\r\n,\t"],["\n, null,[ ] , 1e400, "ä€" ]',
    ],
)
def test_each_event_has_its_own_text(body: str) -> None:
    found = list(_parse_events(body.encode()))

    assert [event for event, _ in found] == json.loads(body)
    assert [json.loads(text) for _, text in found] == json.loads(body)
    assert [found[0][1], found[5][1]] == ["1.10", "1e400"]


def test_an_empty_batch_has_no_events() -> None:
    assert list(_parse_events(b"[]")) == list(_parse_events(b"[ ]")) == []
