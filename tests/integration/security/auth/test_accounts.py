"""Users, sessions, keys and the throttle, on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from schema.tables.auth import Scope, api_key, app_user, login_session
from workqueue.auth import api_keys, credentials, login_throttle, sessions, users
from workqueue.auth.authenticator import Authenticator
from workqueue.auth.permissions import Permission
from workqueue.errors import (
    BadAccessError,
    BadLoginError,
    LastAdminError,
    TooManyLoginsError,
    UnknownUserError,
    UserExistsError,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse"
HOME, AWAY = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def admin(engine: Engine) -> str:
    users.ensure_superuser(engine, "ada", PASSWORD, "ada@example.org")
    return "ada"


def key_wanted(**fields: object) -> api_keys.KeyRequest:
    return api_keys.parse_key_request({"name": "ci", "scopes": ["invoke"], **fields}, NOW)


@pytest.mark.parametrize("username", ["anonymous", "Local"])
def test_nobody_has_the_name_of_who_did_not_log_in(engine: Engine, username: str) -> None:
    with pytest.raises(BadAccessError):
        users.create(engine, {"username": username, "password": PASSWORD})


def test_the_superuser_is_made_once_and_then_made_so_again(engine: Engine) -> None:
    assert users.ensure_superuser(engine, "ada", PASSWORD)
    assert not users.ensure_superuser(engine, "ADA", "another one")
    assert [user["role"] for user in users.list_users(engine)] == ["admin"]
    assert sessions.log_in(engine, "ada", "another one", HOME, NOW)


def test_another_password_of_the_superuser_ends_the_sessions_and_the_same_one_does_not(engine: Engine) -> None:
    users.ensure_superuser(engine, "ada", PASSWORD)
    token = credentials.digest(sessions.log_in(engine, "ada", PASSWORD, HOME, NOW).token)
    users.ensure_superuser(engine, "ADA", PASSWORD)
    assert sessions.find_principal(engine, token, NOW)
    users.ensure_superuser(engine, "ADA", "another one")
    assert sessions.find_principal(engine, token, NOW) is None


def test_neither_password_nor_token_nor_key_is_stored(engine: Engine, admin: str) -> None:
    login = sessions.log_in(engine, admin, PASSWORD, HOME, NOW)
    _, key = api_keys.create(engine, key_wanted(), admin, NOW)
    with engine.connect() as connection:
        stored = str([connection.execute(select(table)).all() for table in (app_user, login_session, api_key)])
    assert PASSWORD not in stored
    assert login.token not in stored
    assert key not in stored


def test_a_login_gives_a_new_token_every_time(engine: Engine, admin: str) -> None:
    first, second = (sessions.log_in(engine, admin, PASSWORD, HOME, NOW) for _ in range(2))
    assert first.token != second.token
    assert sessions.find_principal(engine, credentials.digest(first.token), NOW) == second.principal


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_wrong_password_and_an_unknown_name_are_told_alike(engine: Engine, admin: str, name: str) -> None:
    with pytest.raises(BadLoginError, match="The name or the password is wrong"):
        sessions.log_in(engine, name, "wrong", HOME, NOW)


def test_a_session_ends_by_logout_by_idleness_and_by_age(engine: Engine, admin: str) -> None:
    one, two, three = (sessions.log_in(engine, admin, PASSWORD, HOME, NOW) for _ in range(3))
    hashes = [credentials.digest(each.token) for each in (one, two, three)]
    sessions.log_out(engine, hashes[0], "ada", everywhere=False)
    assert [bool(sessions.find_principal(engine, each, NOW)) for each in hashes] == [False, True, True]
    assert sessions.find_principal(engine, hashes[1], NOW + sessions.MAX_IDLE) is None
    sessions.log_out(engine, hashes[1], "ada", everywhere=True)
    assert sessions.find_principal(engine, hashes[2], NOW) is None


def test_what_makes_a_user_another_one_ends_his_sessions(engine: Engine, admin: str) -> None:
    users.create(engine, {"username": "bob", "password": PASSWORD, "role": "operator"})
    for change in ({"password": "another one"}, {"role": "viewer"}, {"enabled": False}):
        users.change(engine, "bob", {"enabled": True, "password": PASSWORD})
        login = sessions.log_in(engine, "bob", PASSWORD, HOME, NOW)
        users.change(engine, "bob", change)
        assert sessions.find_principal(engine, credentials.digest(login.token), NOW) is None, change
    with pytest.raises(BadLoginError):
        sessions.log_in(engine, "bob", PASSWORD, HOME, NOW)


def test_the_last_admin_stays(engine: Engine, admin: str) -> None:
    with pytest.raises(LastAdminError):
        users.remove(engine, admin)
    for change in ({"role": "viewer"}, {"enabled": False}):
        with pytest.raises(LastAdminError):
            users.change(engine, admin, change)
    assert users.find(engine, admin)["role"] == "admin"


def test_bad_users_are_refused_field_by_field(engine: Engine) -> None:
    with pytest.raises(BadAccessError) as refused:
        users.create(engine, {"username": "a b", "password": "short", "role": "god", "email": 3, "x": 1})
    assert {error["field"] for error in refused.value.errors} == {"username", "password", "role", "email", "x"}
    assert users.list_users(engine) == []


def test_two_names_that_differ_in_case_are_one(engine: Engine, admin: str) -> None:
    with pytest.raises(UserExistsError):
        users.create(engine, {"username": "Ada", "password": PASSWORD})
    with pytest.raises(UnknownUserError):
        users.change(engine, "nobody", {"enabled": False})


def failures(engine: Engine, name: str, address: str, now: datetime, count: int) -> None:
    for _ in range(count):
        with pytest.raises(BadLoginError):
            sessions.log_in(engine, name, "wrong", address, now)


def test_failures_slow_the_next_tries_down_and_the_right_password_too(engine: Engine, admin: str) -> None:
    failures(engine, admin, AWAY, NOW, 5)
    with pytest.raises(TooManyLoginsError) as refused:
        sessions.log_in(engine, admin, PASSWORD, AWAY, NOW)
    later = NOW + timedelta(seconds=refused.value.retry_after_s)
    assert sessions.log_in(engine, admin, PASSWORD, AWAY, later)
    failures(engine, admin, AWAY, later, 5)  # a login forgives


def test_no_pause_is_longer_than_its_ceiling(engine: Engine, admin: str) -> None:
    now, pauses = NOW, []
    for _ in range(40):
        try:
            sessions.log_in(engine, admin, "wrong", AWAY, now)
        except TooManyLoginsError as error:
            pauses.append(error.retry_after_s)
            now += timedelta(seconds=error.retry_after_s)
        except BadLoginError:
            pass
    assert max(pauses) == 300


def test_guesses_from_elsewhere_do_not_keep_a_user_out(engine: Engine, admin: str) -> None:
    sessions.log_in(engine, admin, PASSWORD, HOME, NOW)
    for number in range(40):
        with pytest.raises((BadLoginError, TooManyLoginsError)):
            sessions.log_in(engine, admin, "wrong", f"198.51.100.{number}", NOW)
    with pytest.raises(TooManyLoginsError):
        sessions.log_in(engine, admin, PASSWORD, AWAY, NOW)
    assert sessions.log_in(engine, admin, PASSWORD, HOME, NOW)


def test_one_address_cannot_try_many_names(engine: Engine, admin: str) -> None:
    failures(engine, "nobody0", AWAY, NOW, 4)
    for number in range(1, 5):
        failures(engine, f"nobody{number}", AWAY, NOW, 4)
    with pytest.raises(TooManyLoginsError):
        sessions.log_in(engine, "nobody9", "wrong", AWAY, NOW)
    login_throttle.delete_old(engine, NOW + timedelta(hours=1))
    failures(engine, "nobody9", AWAY, NOW + timedelta(hours=1), 1)


def test_a_key_may_what_its_scopes_say_until_it_expires_or_is_revoked(engine: Engine) -> None:
    row, key = api_keys.create(
        engine, key_wanted(functions=["f"], expires_at=(NOW + timedelta(hours=1)).isoformat()), "ada", NOW
    )
    assert key.startswith(row["prefix"])
    hashed = credentials.digest(key)
    found = api_keys.find_principal(engine, hashed, NOW)
    assert found is not None
    assert found.actor == "key:ci"
    assert found.permissions == {Permission.INVOKE, Permission.FOLLOW}
    assert found.may_call("f")
    assert not found.may_call("g")
    assert api_keys.find_principal(engine, hashed, NOW + timedelta(hours=1)) is None
    api_keys.revoke(engine, row["id"], "ada")
    assert api_keys.find_principal(engine, hashed, NOW) is None


def test_no_scope_lets_a_key_make_users_or_keys(engine: Engine) -> None:
    _, key = api_keys.create(engine, key_wanted(scopes=list(Scope)), "ada", NOW)
    found = api_keys.find_principal(engine, credentials.digest(key), NOW)
    assert found is not None
    assert not found.may(Permission.ADMINISTER)


def test_a_use_is_written_down_by_the_minute(engine: Engine) -> None:
    _, key = api_keys.create(engine, key_wanted(), "ada", NOW)
    for second in (0, 30, 90):
        api_keys.find_principal(engine, credentials.digest(key), NOW + timedelta(seconds=second))
    assert api_keys.list_keys(engine)[0]["last_used_at"] == NOW + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a b"),
        ("scopes", []),
        ("scopes", ["root"]),
        ("scopes", "read"),
        ("scopes", [["read"]]),
        ("functions", []),
        ("functions", ["a/b"]),
        ("expires_at", "2026-01-01"),
        ("expires_at", "2025-01-01T00:00:00Z"),
        ("expires_at", 5),
        ("expires_at", "9999-12-31T23:59:59-23:59"),
        ("role", "admin"),
    ],
)
def test_bad_keys_are_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(BadAccessError) as refused:
        key_wanted(**{field: value})
    assert [error["field"] for error in refused.value.errors] == [field]


def test_the_doorkeeper_asks_once_for_many_calls_and_forgets_when_told(engine: Engine) -> None:
    row, key = api_keys.create(engine, key_wanted(), "ada", NOW)
    authenticator = Authenticator(engine, lambda: NOW)
    assert authenticator.by_api_key(key) is not None
    api_keys.revoke(engine, row["id"], "ada")
    assert authenticator.by_api_key(key) is not None  # believed for three seconds
    authenticator.clear_cache()
    assert authenticator.by_api_key(key) is None
    assert authenticator.by_api_key("lfn_" + "x" * 10_000_000) is None
    assert authenticator.by_session_token(key) is None
