"""Define `localfn keys`: API keys for programs."""

from datetime import UTC, datetime, timedelta

import click

from infra.cli.group import CommandGroup
from infra.cli.output.formatting import relative_time
from infra.cli.output.tables import Column, format_table, json_option, print_data, print_json, print_status

COLUMNS = (
    Column("KEY", min_width=8),
    Column("BEGINS"),
    Column("SCOPES", min_width=6),
    Column("FUNCTIONS", min_width=9),
    Column("EXPIRES"),
    Column("LAST USED"),
    Column("ID"),
)


@click.group(cls=CommandGroup)
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(("invoke", "read", "manage")),
    multiple=True,
    required=True,
    help="What the key may do; repeatable. manage: cancel, retry and delete requests, edit schedules.",
)
@click.option("--function", "functions", metavar="NAME", multiple=True, help="Only this function; repeatable.")
@click.option(
    "--expires-in",
    "expires_days",
    type=click.FloatRange(0, 3650, min_open=True),
    metavar="DAYS",
    help="Lifetime of the key. Default: it never expires.",
)
@json_option
def create(
    name: str, scopes: tuple[str, ...], functions: tuple[str, ...], expires_days: float | None, as_json: bool
) -> None:
    """Create a key and print it. It cannot be shown again."""
    from infra.cli import accounts

    expires_at = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    made = accounts.make_key(name, list(scopes), list(functions) or None, expires_at)
    if as_json:
        return print_json(made)
    print_data(made["key"])
    return print_status(
        "Store the key now: it is not shown again. Programs send it as `Authorization: Bearer …`; "
        "this command line reads it from LOCALFN_API_KEY."
    )


@keys.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the keys by name and prefix."""
    from infra.cli import accounts

    found = accounts.list_keys()
    if as_json:
        return print_json({"items": found})
    if not found:
        return print_status("no keys; create one with `localfn keys create NAME --scope invoke`.")
    rows = [
        (
            key["name"],
            key["prefix"],
            ",".join(key["scopes"]),
            ",".join(key["functions"]) if key["functions"] else "all",
            relative_time(key["expires_at"]) if key["expires_at"] else "never",
            relative_time(key["last_used_at"]) if key["last_used_at"] else "never",
            key["id"],
        )
        for key in found
    ]
    return print_data(format_table(COLUMNS, rows))


@keys.command()
@click.argument("key", metavar="NAME|ID")
@json_option
def revoke(key: str, as_json: bool) -> None:
    """Revoke a key. It stops working within seconds."""
    from infra.cli import accounts

    revoked = accounts.revoke_key(key)
    if as_json:
        return print_json(revoked)
    return print_data(f"{revoked['name']}  revoked")
