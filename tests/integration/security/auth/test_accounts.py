"""Check users, sessions, API keys and login throttling on a real PostgreSQL."""

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
def admin_user(engine: Engine) -> str:
    users.ensure_superuser(engine, "ada", PASSWORD, "ada@example.org")
    return "ada"


def key_wanted(**fields: object) -> api_keys.KeyRequest:
    return api_keys.parse_key_request({"name": "ci", "scopes": ["invoke"], **fields}, NOW)


@pytest.mark.parametrize("username", ["anonymous", "Local"])
def test_the_name_of_anonymous_callers_cannot_be_taken(engine: Engine, username: str) -> None:
    with pytest.raises(BadAccessError):
        users.create(engine, {"username": username, "password": PASSWORD})


def test_the_superuser_is_created_once_and_then_updated(engine: Engine) -> None:
    assert users.ensure_superuser(engine, "ada", PASSWORD)
    assert not users.ensure_superuser(engine, "ADA", "another one")
    assert [user["role"] for user in users.list_users(engine)] == ["admin"]
    assert sessions.log_in(engine, "ada", "another one", HOME, NOW)


def test_only_a_new_superuser_password_ends_sessions(engine: Engine) -> None:
    users.ensure_superuser(engine, "ada", PASSWORD)
    token = credentials.digest(sessions.log_in(engine, "ada", PASSWORD, HOME, NOW).token)
    users.ensure_superuser(engine, "ADA", PASSWORD)
    assert sessions.find_principal(engine, token, NOW)
    users.ensure_superuser(engine, "ADA", "another one")
    assert sessions.find_principal(engine, token, NOW) is None


def test_neither_password_nor_token_nor_key_is_stored(engine: Engine, admin_user: str) -> None:
    login = sessions.log_in(engine, admin_user, PASSWORD, HOME, NOW)
    _, key = api_keys.create(engine, key_wanted(), admin_user, NOW)
    with engine.connect() as connection:
        stored = str([connection.execute(select(table)).all() for table in (app_user, login_session, api_key)])
    assert PASSWORD not in stored
    assert login.token not in stored
    assert key not in stored


def test_each_login_returns_a_new_token(engine: Engine, admin_user: str) -> None:
    first, second = (sessions.log_in(engine, admin_user, PASSWORD, HOME, NOW) for _ in range(2))
    assert first.token != second.token
    assert sessions.find_principal(engine, credentials.digest(first.token), NOW) == second.principal


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_error(engine: Engine, admin_user: str, name: str) -> None:
    with pytest.raises(BadLoginError, match="The name or the password is wrong"):
        sessions.log_in(engine, name, "wrong", HOME, NOW)


def test_a_session_ends_by_logout_by_idleness_and_by_age(engine: Engine, admin_user: str) -> None:
    one, two, three = (sessions.log_in(engine, admin_user, PASSWORD, HOME, NOW) for _ in range(3))
    hashes = [credentials.digest(each.token) for each in (one, two, three)]
    sessions.log_out(engine, hashes[0], "ada", everywhere=False)
    assert [bool(sessions.find_principal(engine, each, NOW)) for each in hashes] == [False, True, True]
    assert sessions.find_principal(engine, hashes[1], NOW + sessions.MAX_IDLE) is None
    sessions.log_out(engine, hashes[1], "ada", everywhere=True)
    assert sessions.find_principal(engine, hashes[2], NOW) is None


def test_changing_password_role_or_access_ends_the_users_sessions(engine: Engine, admin_user: str) -> None:
    users.create(engine, {"username": "bob", "password": PASSWORD, "role": "operator"})
    for change in ({"password": "another one"}, {"role": "viewer"}, {"enabled": False}):
        users.change(engine, "bob", {"enabled": True, "password": PASSWORD})
        login = sessions.log_in(engine, "bob", PASSWORD, HOME, NOW)
        users.change(engine, "bob", change)
        assert sessions.find_principal(engine, credentials.digest(login.token), NOW) is None, change
    with pytest.raises(BadLoginError):
        sessions.log_in(engine, "bob", PASSWORD, HOME, NOW)


def test_the_last_admin_cannot_be_removed(engine: Engine, admin_user: str) -> None:
    with pytest.raises(LastAdminError):
        users.remove(engine, admin_user)
    for change in ({"role": "viewer"}, {"enabled": False}):
        with pytest.raises(LastAdminError):
            users.change(engine, admin_user, change)
    assert users.find(engine, admin_user)["role"] == "admin"


def test_bad_users_are_rejected_by_field(engine: Engine) -> None:
    with pytest.raises(BadAccessError) as refused:
        users.create(engine, {"username": "a b", "password": "short", "role": "god", "email": 3, "x": 1})
    assert {error["field"] for error in refused.value.errors} == {"username", "password", "role", "email", "x"}
    assert users.list_users(engine) == []


def test_names_that_differ_only_in_case_are_equal(engine: Engine, admin_user: str) -> None:
    with pytest.raises(UserExistsError):
        users.create(engine, {"username": "Ada", "password": PASSWORD})
    with pytest.raises(UnknownUserError):
        users.change(engine, "nobody", {"enabled": False})


def failures(engine: Engine, name: str, address: str, now: datetime, count: int) -> None:
    for _ in range(count):
        with pytest.raises(BadLoginError):
            sessions.log_in(engine, name, "wrong", address, now)


def test_failures_delay_further_logins_even_with_the_right_password(engine: Engine, admin_user: str) -> None:
    failures(engine, admin_user, AWAY, NOW, 5)
    with pytest.raises(TooManyLoginsError) as refused:
        sessions.log_in(engine, admin_user, PASSWORD, AWAY, NOW)
    later = NOW + timedelta(seconds=refused.value.retry_after_s)
    assert sessions.log_in(engine, admin_user, PASSWORD, AWAY, later)
    failures(engine, admin_user, AWAY, later, 5)  # A successful login clears the failures.


def test_the_delay_of_logins_has_a_maximum(engine: Engine, admin_user: str) -> None:
    now, pauses = NOW, []
    for _ in range(40):
        try:
            sessions.log_in(engine, admin_user, "wrong", AWAY, now)
        except TooManyLoginsError as error:
            pauses.append(error.retry_after_s)
            now += timedelta(seconds=error.retry_after_s)
        except BadLoginError:
            pass
    assert max(pauses) == 300


def test_guesses_from_other_addresses_do_not_lock_a_user_out(engine: Engine, admin_user: str) -> None:
    sessions.log_in(engine, admin_user, PASSWORD, HOME, NOW)
    for number in range(40):
        with pytest.raises((BadLoginError, TooManyLoginsError)):
            sessions.log_in(engine, admin_user, "wrong", f"198.51.100.{number}", NOW)
    with pytest.raises(TooManyLoginsError):
        sessions.log_in(engine, admin_user, PASSWORD, AWAY, NOW)
    assert sessions.log_in(engine, admin_user, PASSWORD, HOME, NOW)


def test_many_names_from_one_address_are_delayed(engine: Engine, admin_user: str) -> None:
    failures(engine, "nobody0", AWAY, NOW, 4)
    for number in range(1, 5):
        failures(engine, f"nobody{number}", AWAY, NOW, 4)
    with pytest.raises(TooManyLoginsError):
        sessions.log_in(engine, "nobody9", "wrong", AWAY, NOW)
    login_throttle.delete_old(engine, NOW + timedelta(hours=1))
    failures(engine, "nobody9", AWAY, NOW + timedelta(hours=1), 1)


def test_a_key_has_its_scopes_until_it_expires_or_is_revoked(engine: Engine) -> None:
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


def test_no_scope_allows_a_key_to_create_users_or_keys(engine: Engine) -> None:
    _, key = api_keys.create(engine, key_wanted(scopes=list(Scope)), "ada", NOW)
    found = api_keys.find_principal(engine, credentials.digest(key), NOW)
    assert found is not None
    assert not found.may(Permission.ADMINISTER)


def test_the_last_use_of_a_key_is_stored_once_a_minute(engine: Engine) -> None:
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
def test_bad_keys_are_rejected_by_field(field: str, value: object) -> None:
    with pytest.raises(BadAccessError) as refused:
        key_wanted(**{field: value})
    assert [error["field"] for error in refused.value.errors] == [field]


def test_the_authenticator_caches_a_key_until_it_is_invalidated(engine: Engine) -> None:
    row, key = api_keys.create(engine, key_wanted(), "ada", NOW)
    authenticator = Authenticator(engine, lambda: NOW)
    assert authenticator.by_api_key(key) is not None
    api_keys.revoke(engine, row["id"], "ada")
    assert authenticator.by_api_key(key) is not None  # The authenticator caches it for three seconds.
    authenticator.clear_cache()
    assert authenticator.by_api_key(key) is None
    assert authenticator.by_api_key("lfn_" + "x" * 10_000_000) is None
    assert authenticator.by_session_token(key) is None
