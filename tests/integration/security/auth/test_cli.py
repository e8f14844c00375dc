"""Run `localfn users` and `localfn keys`, and authenticate the command line."""

import json

from infra.audit_actor import actor
from tests.integration.security.conftest import ProductionRuntime
from tests.support.commands import localfn, run_json
from workqueue import audit
from workqueue.audit import Filter


def test_the_command_line_creates_the_first_admin(production: ProductionRuntime) -> None:
    made = localfn(
        production.runtime, "users", "create-superuser", "root", "--email", "r@example.org", stdin="s3cret s3cret\n"
    )
    assert (made.returncode, made.stdout) == (0, "root  created\n"), made.stderr
    assert production.log_in("root", "s3cret s3cret").json()["user"] == {"username": "root", "role": "admin"}
    again = localfn(production.runtime, "users", "create-superuser", "root", stdin="another one\n")
    assert "new password" in again.stdout
    assert production.log_in("root", "s3cret s3cret").status_code == 401
    row = next(user for user in run_json(production.runtime, "users", "list")["items"] if user["username"] == "root")
    assert (row["role"], row["email"], row["enabled"]) == ("admin", "r@example.org", True)
    assert "root" in localfn(production.runtime, "users", "list").stdout


def test_changes_by_the_command_line_are_audited(production: ProductionRuntime) -> None:
    for password in ("s3cret s3cret\n", "another one\n", "another one\n"):
        done = localfn(production.runtime, "users", "create-superuser", "operator1", stdin=password)
        assert done.returncode == 0, done.stderr
    assert localfn(production.runtime, "keys", "create", "told", "--scope", "read").returncode == 0
    assert localfn(production.runtime, "keys", "revoke", "told").returncode == 0

    def audit_of(subject: str) -> list[tuple[str, str, object]]:
        rows, _ = audit.list_entries(production.engine, Filter(subject=subject))
        return [(row["actor"], row["action"], row["details"]) for row in rows]

    command = {"command": "users create-superuser"}
    assert audit_of("operator1") == [
        (actor(), "user.change", {**command, "fields": ["password"]}),
        (actor(), "user.create", command),
    ], "the same password changes nothing"
    assert [entry[:2] for entry in audit_of("told")] == [(actor(), "key.revoke"), (actor(), "key.create")]


def test_a_missing_password_and_a_bad_name_are_one_line_of_error(production: ProductionRuntime) -> None:
    for words, stdin in ((("x",), ""), (("a b",), "s3cret s3cret\n")):
        done = localfn(production.runtime, "users", "create-superuser", *words, stdin=stdin)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_key_is_created_used_listed_and_revoked(production: ProductionRuntime) -> None:
    made = localfn(
        production.runtime, "keys", "create", "cli", "--scope", "invoke", "--scope", "read", "--expires-in", "1"
    )
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key not in made.stderr
    invoked = localfn(
        production.runtime, "functions", "invoke", "echo", "--data", '{"a": 1}', "--wait", LOCALFN_API_KEY=key
    )
    assert json.loads(invoked.stdout) == {"a": 1}, invoked.stderr
    listed = localfn(production.runtime, "keys", "list").stdout
    assert key[:10] in listed
    assert key not in listed
    row = next(item for item in run_json(production.runtime, "keys", "list")["items"] if item["name"] == "cli")
    assert row["last_used_at"] is not None
    assert localfn(production.runtime, "keys", "revoke", "cli").stdout == "cli  revoked\n"
    assert localfn(production.runtime, "keys", "revoke", "cli").returncode == 4


def test_without_a_key_the_command_line_says_how_to_get_one(production: ProductionRuntime) -> None:
    done = localfn(production.runtime, "requests", "list", LOCALFN_API_KEY="")
    assert done.returncode == 1
    assert "LOCALFN_API_KEY" in done.stderr
    assert "keys create" in done.stderr


def test_a_duplicate_key_name_is_rejected(production: ProductionRuntime) -> None:
    words = ("keys", "create", "twice", "--scope", "read")
    assert localfn(production.runtime, *words).returncode == 0
    done = localfn(production.runtime, *words)
    assert done.returncode == 2
    assert "already" in done.stderr
