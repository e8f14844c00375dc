"""A proxy that is trusted and one that is not; an origin that is named and others."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import StartRuntime
from tests.integration.locked.conftest import Guarded
from tests.runtime import Runtime

FRIEND, EVIL = "https://friend.example", "https://evil.example"


@pytest.fixture(scope="module")
def proxied(start_runtime: StartRuntime) -> Iterator[Runtime]:
    settings = {
        "LOCALFN_TRUSTED_PROXIES": "1",
        "LOCALFN_ALLOWED_HOSTS": "tools.example.org",
        "LOCALFN_ALLOWED_ORIGINS": FRIEND,
        "LOCALFN_ENV": "production",
        "HOST": "127.0.0.1",
        "SUPERUSER_USERNAME": "ada",
        "SUPERUSER_PASSWORD": "correct horse",
    }
    with start_runtime(settings=settings) as made:
        yield made


def test_the_address_is_the_one_that_the_trusted_proxy_added(proxied: Runtime) -> None:
    with httpx.Client(base_url=proxied.url, timeout=30) as http:
        forged = {"X-Forwarded-For": "203.0.113.66, 198.51.100.7", "X-Forwarded-Proto": "https"}
        answer = http.post("/api/session", json={"username": "ada", "password": "correct horse"}, headers=forged)
        assert answer.status_code == 200, answer.text
        headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        entries = http.get("/api/audit?action=session.login", headers=headers).json()["items"]
    assert entries[0]["details"] == {"address": "198.51.100.7"}


def test_an_untrusted_proxy_says_nothing(guarded: Guarded) -> None:
    with guarded.stranger() as http:
        wrong = {"username": "forger", "password": "wrong horse"}
        assert http.post("/api/session", json=wrong, headers={"X-Forwarded-For": "203.0.113.66"}).status_code == 401
    with guarded.session("ada") as http:
        entries = http.get("/api/audit?action=session.login_failed").json()["items"]
    assert next(entry for entry in entries if entry["subject"] == "forger")["details"] == {"address": "127.0.0.1"}


def test_an_origin_that_is_named_may_call_and_no_other_and_no_cookie_goes_along(proxied: Runtime) -> None:
    with httpx.Client(base_url=proxied.url, timeout=30) as http:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        told = http.options("/api/functions/echo", headers={"Origin": FRIEND, **asked})
        assert told.status_code == 204
        assert told.headers["Access-Control-Allow-Origin"] == FRIEND
        assert "Access-Control-Allow-Credentials" not in told.headers
        assert "Origin" in told.headers["Vary"]
        for stranger in (EVIL, "null", FRIEND + ".evil.example", "http://friend.example", FRIEND + ":8443"):
            refused = http.post("/api/functions/echo", json={}, headers={"Origin": stranger})
            assert refused.status_code == 403, stranger
            assert "Access-Control-Allow-Origin" not in refused.headers
        assert http.post("/api/functions/echo", json={}, headers={"Origin": FRIEND}).status_code == 401
