"""`localfn db`: the schema of the database."""

import click

from infra.cli.group import CommandGroup
from infra.cli.output.tables import json_option, print_data, print_json, print_status

DIFFERS_CODE = 1


@click.group(cls=CommandGroup)
def db() -> None:
    """Migrate the database, and see whether it is as the code wants it."""


@db.command()
def upgrade() -> None:
    """Apply every migration that is missing."""
    from schema import migrate, revision

    migrate.upgrade(_url())
    print_status(f"the schema is at revision {revision.head_revision()}.")


@db.command()
@click.option("-m", "--message", default="models", show_default=True, help="Becomes part of the file's name.")
def revision(message: str) -> None:
    """Write a migration for what was changed in the tables of the code; read it before you commit it."""
    from schema import migrate

    written = migrate.write_revision(_url(), message)
    if written is None:
        print_status("nothing differs; no migration was written.")
    else:
        print_data(str(written))


@db.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Say whether the database has the tables of the code; exit code 1 when not."""
    from schema import migrate

    found = migrate.check(_url())
    if as_json:
        print_json({"ok": not found, "differences": found})
    else:
        print_data("\n".join(found) or "the database has the tables of the code.")
    if found:
        ctx.exit(DIFFERS_CODE)


@db.command(hidden=True)
def url() -> None:
    """Print the address, every part escaped: for the containers' entrypoint, and for psql. It holds the password."""
    from infra.config.database_url import for_libpq

    print_data(for_libpq(_url()))


def _url() -> str:
    from infra.config.service_urls import require_local, with_service_urls
    from infra.config.settings import load
    from infra.processes.connections import urls

    database_url, _ = urls(with_service_urls(require_local(load())))
    return database_url
