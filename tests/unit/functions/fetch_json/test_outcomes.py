"""Check which responses fetch_json retries and which are final, against a real HTTP server on loopback."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from localfn import Fail, Retry
from tests.unit.functions.fetch_json.loopback_api import Api, Handler, answer, hang, nothing

Fetch = Callable[..., dict[str, Any]]


def test_the_json_comes_back_with_status_time_and_useful_headers(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(200, b'{"n": [1, 2.5, null]}', ETag='"v1"', X_RateLimit_Remaining="7", Set_Cookie="s=1")]
    result = fetch(f"{api.url}/things?id=3#part")
    assert (result["status"], result["json"]) == (200, {"n": [1, 2.5, None]})
    assert result["headers"]["etag"] == '"v1"'
    assert result["headers"]["x-ratelimit-remaining"] == "7"
    assert "set-cookie" not in result["headers"]
    assert result["url"] == f"{api.url}/things?id=3"
    assert result["elapsed_ms"] >= 0
    assert api.calls[0].headers["accept"] == "application/json"


def test_a_body_is_sent_as_json_with_the_given_method_and_headers(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(201, b'{"id": 1}')]
    fetch(api.url, method="PUT", body={"name": "Bär"}, headers={"X-Key": "k"})
    call = api.calls[0]
    assert (call.method, json.loads(call.body), call.headers["x-key"]) == ("PUT", {"name": "Bär"}, "k")
    assert call.headers["content-type"] == "application/json"


def test_a_call_other_than_get_sends_the_same_idempotency_key_in_each_attempt(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(500), answer(201), answer(200)]
    with pytest.raises(Retry):
        fetch(api.url, method="POST", body=1)
    fetch(api.url, method="POST", body=1)
    fetch(api.url)
    keys = [call.headers.get("idempotency-key") for call in api.calls]
    assert keys == ["0190b3a4-0000-7000-8000-000000000001"] * 2 + [None]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_server_error_is_retried_until_success(api: Api, fetch: Fetch, status: int) -> None:
    api.answers = [answer(status, b"trouble"), answer(200, b"[1]")]
    with pytest.raises(Retry, match=f"answered {status}") as asked:
        fetch(api.url)
    assert asked.value.delay_s is None
    assert fetch(api.url)["json"] == [1]


@pytest.mark.parametrize(("value", "delay_s"), [("7", 7.0), ("99999", 300.0), ("soon", None), ("-3", None)])
def test_retry_after_in_seconds_is_honoured_up_to_a_limit(
    api: Api, fetch: Fetch, value: str, delay_s: float | None
) -> None:
    api.answers = [answer(429, Retry_After=value)]
    with pytest.raises(Retry) as asked:
        fetch(api.url)
    assert asked.value.delay_s == delay_s


def test_retry_after_as_a_date_is_honoured(api: Api, fetch: Fetch) -> None:
    now = datetime.now(UTC)
    dates = [format_datetime(now + timedelta(seconds=s), usegmt=True) for s in (120, -120)]
    api.answers = [answer(503, Retry_After=date) for date in dates]
    with pytest.raises(Retry) as later:
        fetch(api.url)
    assert later.value.delay_s == pytest.approx(120, abs=10)
    with pytest.raises(Retry) as past:
        fetch(api.url)
    assert past.value.delay_s == 0.0


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
def test_a_client_error_is_final_and_shows_the_start_of_its_body(api: Api, fetch: Fetch, status: int) -> None:
    api.answers = [answer(status, b"no such\0thing " + b"x" * 10_000)]
    with pytest.raises(Fail, match=f"answered {status} .*: no such thing x") as refused:
        fetch(api.url)
    assert len(str(refused.value)) < 700


def test_a_timeout_is_retried(api: Api, fetch: Fetch) -> None:
    api.answers = [hang]
    with pytest.raises(Retry, match="timed out"):
        fetch(api.url, timeout_s=0.2)


def test_a_slow_response_is_cut_off_at_the_deadline(api: Api, fetch: Fetch) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not api.released.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    api.answers = [drip]
    with pytest.raises(Retry, match="timed out"):
        fetch(api.url, timeout_s=0.3)


def test_a_failed_connection_is_retried(fetch: Fetch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Retry, match="refused"):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")


def test_an_incomplete_response_is_retried(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(200, b'{"half":', Content_Length="100"), nothing]
    for _ in range(2):  # half a body, then not even a status line
        with pytest.raises(Retry):
            fetch(api.url)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"NaN", b'{"a": Infinity}', b"1e999", b"\xff", b"[" * 100_000, b"9" * 5_000]
)
def test_an_answer_that_is_not_strict_json_is_final(api: Api, fetch: Fetch, body: bytes) -> None:
    api.answers = [answer(200, body)]
    with pytest.raises(Fail, match="is not JSON"):
        fetch(api.url)


def test_an_answer_without_content_is_null(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(204, b"")]
    assert fetch(api.url, method="DELETE")["json"] is None


def test_a_response_with_too_large_a_length_is_not_read(api: Api, fetch: Fetch) -> None:
    api.answers = [answer(200, b"", Content_Length="50000000000")]
    with pytest.raises(Fail, match="50,000,000,000 bytes"):
        fetch(api.url)


def test_an_answer_without_a_length_is_read_no_further_than_allowed(api: Api, fetch: Fetch) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not api.released.is_set():
            handler.wfile.write(b" " * 65_536)

    api.answers = [endless]
    with pytest.raises(Fail, match="more than the 100,000 bytes"):
        fetch(api.url, max_bytes=100_000)


def test_an_answer_of_just_the_allowed_size_is_taken(api: Api, fetch: Fetch) -> None:
    body = b'"' + b"x" * 999_998 + b'"'
    api.answers = [answer(200, body)]
    assert len(fetch(api.url, max_bytes=1_000_000)["json"]) == 999_998
