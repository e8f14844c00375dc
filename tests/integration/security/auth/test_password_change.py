"""Let users change their own password, against a runtime in production mode."""

import httpx

from tests.integration.security.conftest import PASSWORD, ProductionRuntime, cookie
from tests.support.waiting import wait_until

NEW = "staple battery"


def change(http: httpx.Client, old: str, new: str) -> httpx.Response:
    return http.post("/api/session/password", json={"old_password": old, "password": new})


def test_a_password_change_ends_all_other_sessions_of_the_user(production: ProductionRuntime) -> None:
    production.user("changer", "viewer")
    with production.session("changer") as here, production.session("changer") as stolen:
        answer = change(here, PASSWORD, NEW)
        assert answer.status_code == 200, answer.text
        assert answer.json()["user"] == {"username": "changer", "role": "viewer"}
        for part in ("HttpOnly", "SameSite=Lax", "Secure"):
            assert part in answer.headers["Set-Cookie"].split("; ")
        wait_until(lambda: stolen.get("/api/requests").status_code == 401, 10, "the other session has ended")
        with production.anonymous() as http:
            headers = {"Cookie": cookie(answer)}
            assert http.get("/api/requests", headers=headers).status_code == 200
    assert production.log_in("changer").status_code == 401
    assert production.log_in("changer", NEW).status_code == 200


def test_a_stolen_session_cannot_guess_the_password(production: ProductionRuntime) -> None:
    production.user("guessed", "viewer")
    with production.session("guessed") as http:
        first = change(http, "wrong horse", NEW)
        assert first.status_code == 422
        assert first.json()["errors"][0]["field"] == "old_password"
        statuses = [change(http, f"wrong {n}", NEW).status_code for n in range(6)]
        assert 429 in statuses, statuses
        assert http.get("/api/requests").status_code == 200


def test_a_bad_new_password_is_rejected_with_a_reason(production: ProductionRuntime) -> None:
    production.user("short", "viewer")
    with production.session("short") as http:
        answer = change(http, PASSWORD, "short")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "password"
    assert production.log_in("short").status_code == 200


def test_anonymous_callers_keys_and_other_origins_cannot_change_a_password(production: ProductionRuntime) -> None:
    with production.anonymous() as http, production.with_key("read", "invoke", "manage") as program:
        assert change(http, PASSWORD, NEW).status_code == 401
        assert change(program, PASSWORD, NEW).status_code == 401
    with production.session("ada") as http:
        http.headers["Origin"] = "https://evil.example"
        assert change(http, PASSWORD, NEW).status_code == 403
