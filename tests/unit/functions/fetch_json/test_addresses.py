"""Check the addresses that fetch_json calls, and the secrets that it neither sends on nor shows."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from localfn import Fail, Retry, ValidationError
from tests.unit.functions.fetch_json.loopback_api import Api, answer, serving

Fetch = Callable[..., dict[str, Any]]


def test_a_redirect_is_followed_and_the_final_address_reported(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(302, b"", Location="/new"), answer(200, b"1")]
    result = fetch(f"{api.url}/old", headers={"X-Key": "secret"})
    assert result["url"] == f"{api.url}/new"
    assert api.calls[1].headers["x-key"] == "secret"


def test_a_redirect_to_another_server_carries_no_credentials(api: Api, fetch: Fetch) -> None:
    with serving() as other:
        api.answers = [answer(302, b"", Location=f"{other.url}/x")]
        other.answers = [answer(200, b"1")]
        fetch(api.url, headers={"X-Key": "secret", "Authorization": "Bearer t", "Cookie": "c=1"})
        assert not {"x-key", "authorization", "cookie"} & set(other.calls[0].headers)
        assert other.calls[0].headers["accept"] == "application/json"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:secret@127.0.0.1/"])
def test_a_redirect_to_another_scheme_is_final(api: Api, fetch: Fetch, target: str) -> None:
    api.answers = [answer(302, b"", Location=target)]
    with pytest.raises(Fail) as refused:
        fetch(api.url)
    assert "secret" not in str(refused.value)


def test_a_redirect_loop_is_final(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(302, b"", Location="/") for _ in range(20)]
    with pytest.raises(Fail, match="302"):
        fetch(api.url)


def test_a_password_in_the_address_is_sent_as_a_header_and_shown_nowhere(
    api: Api, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    api.answers = [answer(200, b"1"), answer(500)]
    url = api.url.replace("//", "//me:p%40ss@") + "/x?key=hidden"
    with caplog.at_level(logging.DEBUG):
        result = fetch(url)
        with pytest.raises(Retry) as asked:
            fetch(url)
    token = api.calls[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(token) == b"me:p@ss"
    for text in (caplog.text, str(asked.value)):
        assert "p%40ss" not in text
        assert "hidden" not in text
    assert "p%40ss" not in json.dumps(result)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "example.org",
        "http://",
        "http://host:port/",
        "http://host:99999/",
        "http://[::1/",
        "http://a b/",
        "http://exämple.org/",
        "http://host/\r\nX: y",
        "",
    ],
)
def test_an_address_that_cannot_be_called_is_rejected_before_any_attempt(fetch: Fetch, url: str) -> None:
    with pytest.raises(ValidationError, match=r"^url: "):
        fetch(url)


@pytest.mark.parametrize("headers", [{"a b": "c"}, {"": "c"}, {"a": "b\r\nX: y"}, {"a": "ü"}, {"ä": "b"}])
def test_headers_that_cannot_be_sent_are_rejected_before_any_attempt(fetch: Fetch, headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"^headers: "):
        fetch("http://127.0.0.1:9/", headers=headers)
