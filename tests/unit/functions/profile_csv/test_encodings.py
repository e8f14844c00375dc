"""Check that profile_csv detects the encoding of a file, and warns where it is a guess."""

from collections.abc import Callable
from typing import Any

import pytest

from localfn import ValidationError

Profile = Callable[..., dict[str, Any]]


def test_a_byte_order_mark_is_no_part_of_the_first_name(profile: Profile) -> None:
    assert list(profile(b"\xef\xbb\xbfa,b\n1,2\n")["columns"]) == ["a", "b"]
    assert list(profile(b"\xef\xbb\xbfa,b\n1,2\n", encoding="UTF-8")["columns"]) == ["a", "b"]
    assert list(profile("\ufeffa,b\n1,2\n")["columns"]) == ["a", "b"]


def test_utf_16_is_known_by_its_byte_order_mark(profile: Profile) -> None:
    result = profile("näme,b\n1,2\n".encode("utf-16"))
    assert list(result["columns"]) == ["näme", "b"]
    assert result["encoding"] == "utf-16"


def test_an_assumed_encoding_gets_a_warning(profile: Profile) -> None:
    for text, encoding in [
        ("Köln €", "cp1252"),
        ("Köln \x81", "latin-1"),
        ("Köln", "utf-16-le"),
        ("Köln", "utf-16-be"),
    ]:
        result = profile(f"stadt,n\n{text},1\nMünchen,2\n".encode(encoding))
        assert result["encoding"] == encoding
        assert result["columns"]["stadt"]["min"] == text
        assert f"the file is not UTF-8 and was read as {encoding}" in result["warnings"][0]
    for encoding, sent in [("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-32", "utf-32")]:
        result = profile("stadt,n\nKöln,1\n".encode(sent))
        assert (result["encoding"], list(result["columns"]), result["warnings"]) == (encoding, ["stadt", "n"], [])


@pytest.mark.parametrize(
    "content",
    [
        "name,n\n" + "x\0,\0" * 1 + "\n" + "\0a\0b\0c\0d,1\n" * 50,  # every second byte from the second line on
        "ab\n" + "x\0" * 1000,
        "abc\n" + "x\0" * 1000 + "\n",
        "name,n\n" + "a\0\0\0\0\0\0\0,1\n" * 20,
        "a\0b\0" * 300 + "\n",
    ],
)
def test_a_utf_8_file_with_nul_characters_is_utf_8(profile: Profile, content: str) -> None:
    result = profile(content)
    assert result["encoding"] == "utf-8"
    nuls = content.count("\0")
    assert f"the file contains NUL characters (U+0000); {nuls:,} were removed" in result["warnings"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_utf_16_without_a_mark_is_known_by_its_zeros(profile: Profile, encoding: str, newline: str) -> None:
    assert profile(f"stadt,n{newline}Köln,1{newline}".encode(encoding))["encoding"] == encoding


def test_a_byte_that_is_not_utf_8_is_found_at_the_end_of_a_large_file(profile: Profile) -> None:
    assert profile(b"a,b\n" + (b"x" * 60 + b",2\n") * 40_000 + b"\xfc,2\n")["encoding"] == "cp1252"


def test_an_encoding_that_does_not_fit_the_file_is_rejected(profile: Profile) -> None:
    with pytest.raises(ValidationError, match="not utf-8"):
        profile("a\nKöln\n".encode("latin-1"), encoding="utf-8")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "a\0b"])
def test_an_encoding_that_does_not_exist_is_rejected(profile: Profile, encoding: str) -> None:
    with pytest.raises(ValidationError, match="not a text encoding"):
        profile(b"a\n1\n", encoding=encoding)
