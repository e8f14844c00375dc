"""Check the base URLs that are injected into the SPA: invalid ones are rejected, valid ones are escaped."""

import pytest

from infra.config.base_urls import normalise_root, origin, path
from infra.errors import SettingsError


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("/", ""),
        ("/api", "/api"),
        ("/tools/localfn/", "/tools/localfn"),
        ("https://api.example.org/v1/", "https://api.example.org/v1"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/x", "http://[::1]:5000/x"),
        ("/a&b$1|c", "/a&b$1%7Cc"),
        ('/it\'s "x"', "/it%27s%20%22x%22"),
        ("/</script><b>", "/%3C/script%3E%3Cb%3E"),
        ("/back\\slash`${x}", "/back%5Cslash%60$%7Bx%7D"),
        ("/50%/caf%C3%A9/é", "/50%25/caf%C3%A9/%C3%A9"),
        ("/a)b(c", "/a%29b%28c"),
    ],
)
def test_a_root_takes_a_form_that_no_string_of_code_can_break_on(value: str, normal: str) -> None:
    assert normalise_root("X", value) == normal
    assert normalise_root("X", normal or "/") == normal


@pytest.mark.parametrize(
    "value",
    [
        "api", "javascript:alert(1)", "ftp://host/x", "//evil.example", "/\\evil.example", "https://", "https:///x", "http://:80/x",
        "https://user:secret@host/", "https://host:port/", "https://ho st/", "/a?b", "/a#b", "/a/../b", "/a\nb",
        "/a\x00b",
        "/\udcff",
        "https://host'/x", "data:text/html,x",
    ],
)  # fmt: skip
def test_a_base_url_that_is_neither_path_nor_url_is_rejected_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^VITE_APP_API_ROOT: "):
        normalise_root("VITE_APP_API_ROOT", value)


def test_a_root_is_an_origin_and_a_path() -> None:
    assert (origin("/x/y"), path("/x/y")) == ("", "/x/y")
    assert (origin("https://a:1/x/y"), path("https://a:1/x/y")) == ("https://a:1", "/x/y")
    assert (origin("https://a"), path("https://a")) == ("https://a", "")
    assert (origin(""), path("")) == ("", "")
