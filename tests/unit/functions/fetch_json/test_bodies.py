"""Check unusual responses to fetch_json: compressed bodies, charsets, repeated headers, other protocols."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from localfn import Fail, Retry
from tests.unit.functions.fetch_json.loopback_api import Api, answer, raw

Fetch = Callable[..., dict[str, Any]]
OK = b"HTTP/1.1 200 OK\r\n"


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


BODY = json.dumps({"n": list(range(1000))}).encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("X-GZIP", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:100]) + gzip.compress(BODY[100:])),
        ("gzip", gzip.compress(BODY) + b"\0" * 20),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("deflate, gzip", gzip.compress(zlib.compress(BODY))),
        ("identity", BODY),
        ("", BODY),
    ],
)
def test_a_compressed_body_is_read(api: Api, fetch: Fetch, encoding: str, body: bytes) -> None:
    api.answers = [answer(200, body, Content_Encoding=encoding)]
    assert fetch(api.url)["json"] == json.loads(BODY)
    assert api.calls[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_a_compressed_body_is_inflated_no_further_than_allowed(
    api: Api, fetch: Fetch, compress: Callable[[bytes], bytes]
) -> None:
    encoding = "gzip" if compress is gzip.compress else "deflate"
    api.answers = [answer(200, compress(b" " * 20_000_000), Content_Encoding=encoding)]
    with pytest.raises(Fail, match="more than the 1,000,000 bytes"):
        fetch(api.url, max_bytes=1_000_000)
    exact = b'"' + b"x" * 9_998 + b'"'
    api.answers = [answer(200, compress(exact), Content_Encoding=encoding)]
    assert len(fetch(api.url, max_bytes=10_000)["json"]) == 9_998


def test_a_body_of_very_many_compressed_parts_is_rejected(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(200, gzip.compress(b"") * 40_000, Content_Encoding="gzip")]
    with pytest.raises(Fail, match="more than 100 parts"):
        fetch(api.url)


def test_a_damaged_or_unknown_compression_is_final_and_half_a_body_is_not(api: Api, fetch: Fetch) -> None:
    whole = gzip.compress(random.Random(7).randbytes(5_000))
    for encoding, body, match in [("gzip", BODY, "damaged"), ("br", BODY, "'br'"), ("deflate", b"\xff" * 9, "damaged")]:
        api.answers = [answer(200, body, Content_Encoding=encoding)]
        with pytest.raises(Fail, match=match):
            fetch(api.url)
    api.answers = [answer(200, whole[:-100], Content_Encoding="gzip")]
    with pytest.raises(Retry):
        fetch(api.url)


def test_several_headers_of_one_name_are_all_shown(api: Api, fetch: Fetch) -> None:
    long = b"X-RateLimit-Policy: " + b"x" * 60_000 + b"\r\n"
    links = long + b'Link: </2>; rel="next"\r\nLINK: </9>; rel="last"\r\n'
    api.answers = [raw(OK, links, b"ETag: a\x01b\r\nContent-Length: 2\r\n\r\n{}")]
    headers = fetch(api.url)["headers"]
    assert headers["link"] == '</2>; rel="next", </9>; rel="last"'
    assert headers["etag"] == "ab"
    assert len(headers["x-ratelimit-policy"]) == 8_192


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'\xef\xbb\xbf"B\xc3\xa4r"', "application/json"),
        ('"Bär"'.encode("utf-16"), "application/json"),
        ('"Bär"'.encode("utf-16"), "application/json; charset=utf-16"),
        ('"Bär"'.encode("latin-1"), 'application/json; charset="ISO-8859-1"'),
        ('"Bär"'.encode(), "text/plain"),
    ],
)
def test_the_body_is_read_in_its_charset(api: Api, fetch: Fetch, body: bytes, content_type: str) -> None:
    api.answers = [answer(200, body, Content_Type=content_type)]
    assert fetch(api.url)["json"] == "Bär"


def test_an_unknown_charset_is_named(api: Api, fetch: Fetch) -> None:
    for charset in ("klingon", "base64"):
        api.answers = [answer(200, b"1", Content_Type=f"application/json; charset={charset}")]
        with pytest.raises(Fail, match=f"charset '{charset}'"):
            fetch(api.url)


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 205), ("POST", 202), ("DELETE", 200)])
def test_no_content_is_null_where_none_is_expected(api: Api, fetch: Fetch, method: str, status: int) -> None:
    api.answers = [answer(status, b"")]
    assert fetch(api.url, method=method)["json"] is None


def test_answers_that_only_announce_the_answer_are_skipped(api: Api, fetch: Fetch) -> None:
    api.answers = [raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK, b"\r\n[1]")]
    assert fetch(api.url)["json"] == [1]


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 abc\r\n\r\n", OK + b"X: y\r\n" * 200, OK + b"X" * 70_000]
)
def test_a_server_of_another_protocol_is_final(api: Api, fetch: Fetch, said: bytes) -> None:
    api.answers = [raw(said)]
    with pytest.raises(Fail, match="not HTTP"):
        fetch(api.url)
