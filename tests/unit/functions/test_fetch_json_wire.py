"""fetch_json on the wire: one deadline over everything, compressed bodies, odd answers and odd redirects."""

from __future__ import annotations

import gzip
import json
import random
import socket
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localfn import Fail, Retry, ValidationError
from tests.unit.functions.loopback_api import Api, Handler, answer, hang, raw, serving

Fetch = Callable[..., dict[str, Any]]
OK = b"HTTP/1.1 200 OK\r\n"


def fails_within(seconds: float, call: Callable[[], Any], error: type[Exception], match: str) -> None:
    started = time.monotonic()
    with pytest.raises(error, match=match):
        call()
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize(
    "pieces",
    [
        ((), b"H"),
        ((OK,), b"X: y\r\n"),
        ((OK,), b"x"),
        ((b"HTTP/1.1 100 Continue\r\n",), b"\r\nHTTP/1.1 100 Continue\r\n"),
        ((b"HTTP/1.1 103 Early Hints\r\n\r\n",), b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        ((OK, b"Content-Length: 9999\r\n\r\n"), b" "),
        ((OK, b"\r\n"), b" "),
        ((OK, b"Transfer-Encoding: chunked\r\n\r\n"), b"0"),
        ((OK, b"Transfer-Encoding: chunked\r\n\r\n"), b"1\r\n \r\n"),
        ((OK, b"Transfer-Encoding: chunked\r\n\r\n0\r\n"), b"T: x\r\n"),
    ],
    ids=["status", "headers", "line", "continue", "hints", "body", "endless", "size", "chunks", "trailers"],
)
def test_one_deadline_holds_for_all_that_can_drip(api: Api, fetch: Fetch, pieces: tuple[Any, bytes]) -> None:
    api.answers = [raw(*pieces[0], drip=pieces[1])]
    fails_within(10, lambda: fetch(api.url, timeout_s=0.3), (Retry, Fail), "timed out|not HTTP")  # type: ignore[arg-type]


def test_one_deadline_holds_over_all_redirects(api: Api, fetch: Fetch) -> None:
    def slowly(handler: Handler) -> None:
        api.released.wait(0.1)
        answer(302, b"", Location="/next")(handler)

    api.answers = [slowly] * 10
    with pytest.raises(Retry, match="timed out"):
        fetch(api.url, timeout_s=0.35)
    assert len(api.calls) < 6


def test_one_deadline_holds_for_the_handshake_of_tls(fetch: Fetch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        fails_within(10, lambda: fetch(url, timeout_s=0.3), Retry, "timed out")


def test_one_deadline_holds_for_the_look_up_of_a_name(api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [api.released.wait(30)])
    fails_within(10, lambda: fetch("http://slow.test/", timeout_s=0.3), Retry, "timed out")


def test_one_deadline_holds_for_a_server_that_does_not_read(fetch: Fetch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        fails_within(10, lambda: fetch(url, method="POST", body="x" * 20_000_000, timeout_s=0.5), Retry, "timed out")


@pytest.mark.parametrize("status", [304, 400, 403, 404, 499])
def test_a_refusal_with_a_slow_body_is_final_at_once(api: Api, fetch: Fetch, status: int) -> None:
    head = f"HTTP/1.1 {status} No\r\nContent-Length: 500\r\n\r\nbecause".encode()
    api.answers = [raw(head, drip=b"."), raw(head), raw(head)]
    fails_within(10, lambda: fetch(api.url, timeout_s=60), Fail, f"answered {status} No")
    assert len(api.calls) == 1


def test_what_arrived_of_a_slow_reason_is_shown(api: Api, fetch: Fetch) -> None:
    def half(handler: Handler) -> None:
        raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\nbecause")(handler)
        hang(handler)

    api.answers = [half]
    with pytest.raises(Fail, match=r"answered 403 Forbidden: because$"):
        fetch(api.url)


def test_a_compressed_reason_is_shown_as_text(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(403, gzip.compress(b"no key " * 1000), Content_Encoding="gzip")]
    with pytest.raises(Fail, match="Forbidden: no key no key"):
        fetch(api.url)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_trouble_with_a_slow_body_is_retried_at_once(api: Api, fetch: Fetch, status: int) -> None:
    api.answers = [raw(f"HTTP/1.1 {status} No\r\nContent-Length: 500\r\n\r\n".encode(), drip=b".")]
    fails_within(10, lambda: fetch(api.url, timeout_s=60), Retry, f"answered {status}")


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


def test_a_body_of_very_many_compressed_parts_is_refused(api: Api, fetch: Fetch) -> None:
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
def test_the_method_over_a_redirect_is_that_of_browsers(
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


def test_secrets_do_not_come_back_with_a_redirect_over_another_server(api: Api, fetch: Fetch) -> None:
    with serving() as other:
        api.answers = [answer(307, b"", Location=f"{other.url}/x"), answer()]
        other.answers = [answer(307, b"", Location=f"{api.url}/y")]
        fetch(api.url, method="POST", body=1, headers={"Authorization": "Bearer t", "Host": "front.test"})
        for call in (other.calls[0], api.calls[1]):
            assert "authorization" not in call.headers
            assert (call.body, call.headers["content-type"]) == (b"1", "application/json")
            assert call.headers["host"].startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "Expect"])
def test_headers_of_the_connection_are_left_to_the_function(fetch: Fetch, name: str) -> None:
    with pytest.raises(ValidationError, match="set by fetch_json itself"):
        fetch("http://127.0.0.1:9/", headers={name: "5"})


def test_https_is_spoken_with_a_server_whose_certificate_is_trusted(
    fetch: Fetch, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = data / "loopback.pem"
    with serving(certificate) as api:
        with pytest.raises(Fail, match="the certificate is not trusted"):
            fetch(api.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        api.answers = [answer(200, b"[1]"), raw(OK, b"Content-Length: 9\r\n\r\n", drip=b" ")]
        assert fetch(api.url, method="POST", body="x" * 100_000)["json"] == [1]
        with pytest.raises(Retry, match="timed out"):
            fetch(api.url, timeout_s=0.1)
        assert [len(call.body) for call in api.calls] == [100_002, 0]
