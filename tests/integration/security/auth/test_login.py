"""Log in and use roles and API keys against a runtime in production mode."""

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.security.conftest import PASSWORD, ProductionRuntime, cookie
from tests.support.waiting import wait_until
from workqueue.auth import login_throttle
from workqueue.auth.credentials import DUMMY_HASH, HASHER, verify_password
from workqueue.clock import Clock


def test_the_cookie_is_hidden_from_scripts_and_other_sites(production: ProductionRuntime) -> None:
    header = production.log_in("ada").headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"):
        assert part in header.split("; ")
    assert len(cookie(production.log_in("ada")).partition("=")[2]) >= 43


def test_a_planted_session_is_invalid_after_the_login(production: ProductionRuntime) -> None:
    planted = cookie(production.log_in("ada"))
    production.user("eve-victim", "viewer")
    with production.anonymous() as http:
        answer = http.post(
            "/api/session", json={"username": "eve-victim", "password": PASSWORD}, headers={"Cookie": planted}
        )
        assert cookie(answer) != planted
        assert http.get("/api/session", headers={"Cookie": planted}).json()["user"] is None
        invented = "localfn_session=" + "x" * 43
        answer = http.post(
            "/api/session", json={"username": "eve-victim", "password": PASSWORD}, headers={"Cookie": invented}
        )
        assert cookie(answer) != invented


def test_logout_ends_one_session_and_logout_everywhere_all(production: ProductionRuntime) -> None:
    production.user("leaver", "viewer")
    one, two, three = (production.session("leaver") for _ in range(3))
    with one, two, three:
        answer = one.delete("/api/session")
        assert answer.status_code == 204
        assert "localfn_session=;" in answer.headers["Set-Cookie"]
        wait_until(lambda: one.get("/api/requests").status_code == 401, 10, "the session has ended in every process")
        assert two.get("/api/requests").status_code == 200
        assert two.delete("/api/session", params={"everywhere": "true"}).status_code == 204
        wait_until(lambda: three.get("/api/requests").status_code == 401, 10, "all have ended")


def test_revoked_credentials_are_rejected_within_seconds(production: ProductionRuntime) -> None:
    with production.session("ada") as admin, production.anonymous() as http:
        made = admin.post("/api/keys", json={"name": "short-lived", "scopes": ["read"]})
        assert made.status_code == 201
        assert made.headers["Cache-Control"] == "no-store"
        headers = {"Authorization": f"Bearer {made.json()['key']}"}
        for _ in range(8):  # Each web process has it in its cache.
            assert http.get("/api/requests", headers=headers).status_code == 200
        assert made.json()["key"] not in admin.get("/api/keys").text
        assert admin.delete(f"/api/keys/{made.json()['id']}").status_code == 204
        wait_until(
            lambda: all(http.get("/api/requests", headers=headers).status_code == 401 for _ in range(8)),
            8,
            "it is dead",
        )


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer lfn_",
        "Bearer lfn_" + "x" * 43,
        "Bearer lfn_" + "x" * 6000,
        "bearer lfn_'; DROP TABLE api_key; --",
        "Basic YWRhOmNvcnJlY3QgaG9yc2U=",
        "lfn_x",
        "Bearer \xff\xfe",
    ],
)
def test_an_invalid_key_is_rejected_even_with_a_valid_cookie(production: ProductionRuntime, header: str) -> None:
    with production.session("ada") as http:
        answer = http.get("/api/requests", headers=[(b"Authorization", header.encode("latin-1"))])
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"username": "ada"},
        {"username": 1, "password": PASSWORD},
        {"username": "ada", "password": ["x"]},
        {"username": "ada", "password": PASSWORD, "role": "admin"},
        {"username": {"$ne": None}, "password": {"$ne": None}},
    ],
)
def test_a_malformed_login_is_rejected(production: ProductionRuntime, body: Any) -> None:
    with production.anonymous() as http:
        assert http.post("/api/session", json=body).status_code == 422


@pytest.mark.parametrize("name", ["ada", "nobody", "ada' OR '1'='1", "x" * 10_000, "ädä", ""])
def test_all_wrong_logins_get_the_same_response(production: ProductionRuntime, name: str) -> None:
    answer = production.log_in(name, "wrong" * 10)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The name or the password is wrong."
    assert "Set-Cookie" not in answer.headers


def test_repeated_failures_get_a_429_with_retry_after(production: ProductionRuntime) -> None:
    production.user("target", "viewer")
    assert [production.log_in("target", "wrong").status_code for _ in range(5)] == [401] * 5
    for later_s in (600, 1200, 1800):  # Three more, each later: on a slow machine the first delays would be over.
        login_throttle.count_attempt(
            production.engine, "target", "127.0.0.1", Clock().now() + timedelta(seconds=later_s)
        )
    answer = production.log_in("target", "wrong")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 1200
    assert (
        # The right password is delayed too; otherwise the delay would reveal it.
        production.log_in("target").status_code == 429
    )


def test_an_admin_creates_changes_and_deletes_users(production: ProductionRuntime) -> None:
    with production.session("ada") as http:
        made = http.post("/api/users", json={"username": "grace", "password": PASSWORD, "role": "operator"})
        assert made.status_code == 201
        assert made.headers["Location"] == "/api/users/grace"
        assert "password" not in made.text
        assert http.post("/api/users", json={"username": "GRACE", "password": PASSWORD}).status_code == 409
        assert http.post("/api/users", json={"username": "a/b", "password": "x"}).status_code == 422
        with production.session("grace") as operator:
            assert operator.get("/api/requests").status_code == 200
            assert http.patch("/api/users/grace", json={"enabled": False}).json()["enabled"] is False
            wait_until(lambda: operator.get("/api/requests").status_code == 401, 10, "her sessions have ended")
        assert http.delete("/api/users/grace").status_code == 204
        assert http.get("/api/users/grace").status_code == 404


def test_a_page_of_another_origin_cannot_use_the_cookie(production: ProductionRuntime) -> None:
    with production.session("ada") as http:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
            assert http.post("/api/functions/echo", json={}, headers=headers).status_code == 403
            assert http.delete("/api/session", headers=headers).status_code == 403


def test_secrets_are_not_in_the_log(production: ProductionRuntime) -> None:
    production.log_in("ada", "a wrong password")
    log = (production.runtime.home.parent / "log").read_text()
    assert PASSWORD not in log
    assert "a wrong password" not in log
    assert not re.search(r"lfn_[A-Za-z0-9_-]{40}", log)


def test_logins_failures_and_changes_by_admins_are_audited_without_secrets(production: ProductionRuntime) -> None:
    assert production.log_in("ada", "not the password").status_code == 401
    with production.session("ada") as ada:
        body = {"username": "audited", "password": PASSWORD, "role": "viewer"}
        assert ada.post("/api/users", json=body).status_code == 201
        assert ada.patch("/api/users/audited", json={"password": PASSWORD + "!"}).status_code == 200
        assert ada.delete("/api/users/audited").status_code == 204
        answer = ada.get("/api/audit", params={"limit": 6})
        entries = [(entry["actor"], entry["action"], entry["subject"]) for entry in answer.json()["items"]]
        assert ada.delete("/api/session").status_code == 204
    assert entries[:5] == [
        ("ada", "user.delete", "audited"),
        ("ada", "user.change", "audited"),
        ("ada", "user.create", "audited"),
        ("ada", "session.login", "ada"),
        ("anonymous", "session.login_failed", "ada"),
    ]
    assert PASSWORD not in answer.text
    assert production.runtime.http.get("/api/audit").status_code == 403


def test_the_check_of_an_unknown_user_costs_as_much_as_that_of_a_known_one() -> None:
    assert not HASHER.check_needs_rehash(DUMMY_HASH), "another cost: the response time reveals which usernames exist"
    assert not verify_password("a password", None)
