"""Check trusted and untrusted proxies, and allowed and other origins."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import StartRuntime
from tests.integration.security.conftest import ProductionRuntime
from tests.support.runtime import Runtime

FRIEND, EVIL = "https://friend.example", "https://evil.example"


@pytest.fixture(scope="module")
def proxied_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
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


def test_the_client_address_is_read_from_a_trusted_proxy(proxied_runtime: Runtime) -> None:
    with httpx.Client(base_url=proxied_runtime.url, timeout=30) as http:
        forged = {"X-Forwarded-For": "203.0.113.66, 198.51.100.7", "X-Forwarded-Proto": "https"}
        answer = http.post("/api/session", json={"username": "ada", "password": "correct horse"}, headers=forged)
        assert answer.status_code == 200, answer.text
        headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        entries = http.get("/api/audit?action=session.login", headers=headers).json()["items"]
    assert entries[0]["details"] == {"address": "198.51.100.7"}


def test_headers_of_an_untrusted_proxy_are_ignored(production: ProductionRuntime) -> None:
    with production.anonymous() as http:
        wrong = {"username": "forger", "password": "wrong horse"}
        assert http.post("/api/session", json=wrong, headers={"X-Forwarded-For": "203.0.113.66"}).status_code == 401
    with production.session("ada") as http:
        entries = http.get("/api/audit?action=session.login_failed").json()["items"]
    assert next(entry for entry in entries if entry["subject"] == "forger")["details"] == {"address": "127.0.0.1"}


def test_only_allowed_origins_may_call_and_without_cookies(proxied_runtime: Runtime) -> None:
    with httpx.Client(base_url=proxied_runtime.url, timeout=30) as http:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        response = http.options("/api/functions/echo", headers={"Origin": FRIEND, **asked})
        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == FRIEND
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Origin" in response.headers["Vary"]
        for stranger in (EVIL, "null", FRIEND + ".evil.example", "http://friend.example", FRIEND + ":8443"):
            refused = http.post("/api/functions/echo", json={}, headers={"Origin": stranger})
            assert refused.status_code == 403, stranger
            assert "Access-Control-Allow-Origin" not in refused.headers
        assert http.post("/api/functions/echo", json={}, headers={"Origin": FRIEND}).status_code == 401


def test_responses_over_tls_have_hsts(
    proxied_runtime: Runtime, production: ProductionRuntime, runtime: Runtime
) -> None:
    over_tls = {"X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=proxied_runtime.url, timeout=30) as http:
        for path in ("/", "/api/functions", "/api/nothing", "/rq/static/css/main.css", "/docs", "/healthz"):
            response = http.get(path, headers=over_tls).headers
            assert response["Strict-Transport-Security"] == "max-age=31536000", path
            assert "Strict-Transport-Security" not in http.get(path).headers, path
    # Without a trusted proxy the server does not know of TLS, and local mode leaves TLS to the developer.
    with production.anonymous() as http:
        assert "Strict-Transport-Security" not in http.get("/", headers=over_tls).headers
    assert "Strict-Transport-Security" not in runtime.http.get("/", headers=over_tls).headers


def test_the_production_cookie_is_bound_to_its_host(proxied_runtime: Runtime, runtime: Runtime) -> None:
    with httpx.Client(base_url=proxied_runtime.url, timeout=30) as http:
        answer = http.post("/api/session", json={"username": "ada", "password": "correct horse"})
        cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
        assert cookie.startswith("__Host-localfn_session=")
        assert {"Secure", "Path=/", "HttpOnly"} <= set(attributes)
        assert not [each for each in attributes if each.startswith("Domain")]
        assert http.get("/api/functions", headers={"Cookie": cookie}).status_code == 200
        # Another host of the domain may have planted a cookie with the other name.
        planted = cookie.removeprefix("__Host-")
        assert http.get("/api/functions", headers={"Cookie": planted}).status_code == 401
        response = http.delete("/api/session", headers={"Cookie": cookie}).headers["Set-Cookie"].split("; ")
        assert response[0] == "__Host-localfn_session="
        assert "Secure" in response, "else a browser keeps the cookie"


def test_every_page_isolates_its_window_and_denies_devices(runtime: Runtime) -> None:
    for path in ("/", "/docs", "/api/functions", "/overview", "/nothing"):
        response = httpx.get(runtime.url + path, headers={"Accept": "text/html"}).headers
        assert response["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "camera=()" in response["Permissions-Policy"], path
    # A sandboxed page with another value would not be shown.
    assert runtime.http.get("/rq/").headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
