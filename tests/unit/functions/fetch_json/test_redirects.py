"""Check redirects of fetch_json: relative ones, methods, missing and invalid targets, secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from localfn import Fail
from tests.unit.functions.fetch_json.loopback_api import Api, answer, raw, serving

Fetch = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("location", "path"), [("new", "/a/new"), ("/x?y=1#z", "/x?y=1"), ("?q=ä b", "/a/b?q=%C3%A4%20b")]
)
def test_a_relative_redirect_is_followed(api: Api, fetch: Fetch, location: str, path: str) -> None:
    api.answers = [raw(b"HTTP/1.1 302 Found\r\nLocation: ", location.encode(), b"\r\n\r\n"), answer()]
    assert fetch(f"{api.url}/a/b")["url"] == api.url + path
    assert api.calls[1].path == path


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "DELETE", "GET"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
        (301, "GET", "GET"),
    ],
)
def test_a_redirect_changes_the_method_as_browsers_do(
    api: Api, fetch: Fetch, status: int, method: str, then: str
) -> None:
    api.answers = [answer(status, b"", Location="/new"), answer()]
    fetch(api.url, method=method, body={"a": 1})
    assert (api.calls[1].method, api.calls[1].body) == (then, b"" if then == "GET" != method else b'{"a": 1}')


def test_a_redirect_without_a_target_is_final(api: Api, fetch: Fetch) -> None:
    for headers in ({}, {"Location": ""}):
        api.answers = [answer(302, b"", **headers)]
        with pytest.raises(Fail, match="answered 302 without a Location"):
            fetch(api.url)


@pytest.mark.parametrize("target", ["http://[::1/", "http://host:99999/", "javascript:alert(1)", "http://h:0/"])
def test_a_redirect_to_an_impossible_address_is_final(api: Api, fetch: Fetch, target: str) -> None:
    api.answers = [answer(302, b"", Location=target)]
    with pytest.raises(Fail, match="redirects to an address that cannot be called"):
        fetch(api.url)


def test_secrets_are_not_sent_again_after_a_redirect_through_another_server(api: Api, fetch: Fetch) -> None:
    with serving() as other:
        api.answers = [answer(307, b"", Location=f"{other.url}/x"), answer()]
        other.answers = [answer(307, b"", Location=f"{api.url}/y")]
        fetch(api.url, method="POST", body=1, headers={"Authorization": "Bearer t", "Host": "front.test"})
        for call in (other.calls[0], api.calls[1]):
            assert "authorization" not in call.headers
            assert (call.body, call.headers["content-type"]) == (b"1", "application/json")
            assert call.headers["host"].startswith("127.0.0.1:")
