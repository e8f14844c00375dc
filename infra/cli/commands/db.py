"""Define `localfn db`: migrate and check the schema, dump and restore the database."""

from pathlib import Path

import click

from infra.cli.group import CommandGroup
from infra.cli.output.tables import json_option, print_data, print_json, print_status

DIFFERS_CODE = 1


@click.group(cls=CommandGroup)
def db() -> None:
    """Migrate the database, compare it with the code, dump and restore it."""


@db.command()
def upgrade() -> None:
    """Apply all missing migrations."""
    from schema import migrate

    print_status(f"the schema is at revision {migrate.upgrade(_checked_url())}.")


@db.command()
@click.option("-m", "--message", default="models", show_default=True, help="Part of the file name.")
def revision(message: str) -> None:
    """Write a migration for changed tables. Review the file before you commit it."""
    from infra.errors import InfraError
    from schema import migrate

    try:
        written = migrate.write_revision(_checked_url(), message)
    except migrate.SchemaDiffersError as error:
        raise InfraError(str(error)) from None
    if written is None:
        print_status("no differences; no migration was written.")
    else:
        print_data(str(written))


@db.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check that the database has the tables of the code. Exit with 1 if it differs."""
    from schema import migrate

    found = migrate.check(_checked_url())
    if as_json:
        print_json({"ok": not found, "differences": found})
    else:
        print_data("\n".join(found) or "The database matches the code.")
    if found:
        ctx.exit(DIFFERS_CODE)


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def dump(file: Path) -> None:
    """Write the database into a new FILE. The embedded PostgreSQL need not run."""
    from infra.config.service_urls import require_local
    from infra.config.settings import load
    from infra.embedded import database_copy

    database_copy.dump(require_local(load()), file)
    print_status(f"the database is in {file}; the files of requests are not.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(file: Path) -> None:
    """Replace the embedded database by FILE, which `db dump` made. The replaced folder is kept."""
    from infra.config.service_urls import require_local
    from infra.config.settings import load
    from infra.embedded import database_copy

    kept = database_copy.restore(require_local(load()), file)
    print_status(f"{file} is restored" + (f"; the data before it is kept in {kept}." if kept else "."))


@db.command(hidden=True)
def url() -> None:
    """Print the database URL for psql and for the entrypoint of containers. It contains the password."""
    from infra.config.database_url import for_libpq

    print_data(for_libpq(_url()))


def _url() -> str:
    from infra.config.service_urls import require_local, with_service_urls
    from infra.config.settings import load
    from infra.processes.connections import required_urls

    database_url, _ = required_urls(with_service_urls(require_local(load())))
    return database_url


def _checked_url() -> str:
    from infra.processes.connections import check_schema

    database_url = _url()
    check_schema(database_url)
    return database_url
