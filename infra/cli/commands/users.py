"""Define `localfn users`: list users, and create the first admin on the machine itself."""

import sys

import click

from infra.cli.group import CommandGroup
from infra.cli.output.formatting import relative_time
from infra.cli.output.tables import Column, format_table, json_option, print_data, print_json, print_status

COLUMNS = (
    Column("USER"),
    Column("ROLE"),
    Column("STATE", colours={"enabled": "green", "disabled": "red"}),
    Column("LAST LOGIN"),
    Column("EMAIL"),
)


@click.group(cls=CommandGroup)
def users() -> None:
    """List users, and create an admin."""


@users.command("create-superuser")
@click.argument("username")
@click.option("--email", metavar="ADDRESS", help="Email address of the admin.")
@json_option
def create_superuser(username: str, email: str | None, as_json: bool) -> None:
    """Create an admin, or give an existing user the admin role and a new password.

    The password is prompted for, or read from stdin as one line.
    """
    from infra.cli import accounts

    is_new = accounts.make_superuser(username, _password(), email)
    if as_json:
        return print_json({"username": username, "created": is_new})
    print_data(f"{username}  {'created' if is_new else 'updated: admin with a new password'}")
    return None


@users.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the users."""
    from infra.cli import accounts

    found = accounts.list_users()
    if as_json:
        return print_json({"items": found})
    if not found:
        return print_status("no users; create the first with `localfn users create-superuser NAME`.")
    rows = [
        (
            user["username"],
            user["role"],
            "enabled" if user["enabled"] else "disabled",
            relative_time(user["last_login_at"]) if user["last_login_at"] else "never",
            user["email"] or "",
        )
        for user in found
    ]
    return print_data(format_table(COLUMNS, rows))


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return password
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.UsageError("no password; enter it at the prompt, or write it to stdin as one line.")
    return password
