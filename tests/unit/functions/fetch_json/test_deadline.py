"""Check that one deadline of fetch_json covers all steps, and that a final response ends the call at once."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localfn import Fail, Retry, ValidationError
from tests.unit.functions.fetch_json.loopback_api import Api, Handler, answer, hang, raw, serving

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
def test_a_client_error_with_a_slow_body_is_final_without_waiting_for_it(api: Api, fetch: Fetch, status: int) -> None:
    head = f"HTTP/1.1 {status} No\r\nContent-Length: 500\r\n\r\nbecause".encode()
    api.answers = [raw(head, drip=b"."), raw(head), raw(head)]
    fails_within(10, lambda: fetch(api.url, timeout_s=60), Fail, f"answered {status} No")
    assert len(api.calls) == 1


def test_the_received_part_of_a_slow_error_body_is_shown(api: Api, fetch: Fetch) -> None:
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
def test_a_server_error_with_a_slow_body_is_retried_without_waiting_for_it(api: Api, fetch: Fetch, status: int) -> None:
    api.answers = [raw(f"HTTP/1.1 {status} No\r\nContent-Length: 500\r\n\r\n".encode(), drip=b".")]
    fails_within(10, lambda: fetch(api.url, timeout_s=60), Retry, f"answered {status}")


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "Expect"])
def test_headers_of_the_connection_are_left_to_the_function(fetch: Fetch, name: str) -> None:
    with pytest.raises(ValidationError, match="set by fetch_json itself"):
        fetch("http://127.0.0.1:9/", headers={name: "5"})


def test_https_works_with_a_trusted_certificate(fetch: Fetch, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = data / "loopback.pem"
    with serving(certificate) as api:
        with pytest.raises(Fail, match="the certificate is not trusted"):
            fetch(api.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        api.answers = [answer(200, b"[1]"), raw(OK, b"Content-Length: 9999\r\n\r\n", drip=b" ")]
        assert fetch(api.url, method="POST", body="x" * 100_000)["json"] == [1]
        with pytest.raises(Retry, match="timed out"):
            fetch(api.url, timeout_s=1)
        assert len(api.calls[0].body) == 100_002
