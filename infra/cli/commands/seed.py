"""Define `localfn seed`: load the fixtures."""

import click

from infra.cli.output.tables import print_status
from infra.errors import SettingsError


@click.command()
@click.option("--dev", "with_dev", is_flag=True, help="Load dev_* files, too; not in production.")
def seed(with_dev: bool) -> None:
    """Load the fixtures. Existing rows stay unchanged, so the command can be repeated."""
    from infra.config.service_urls import require_local, with_service_urls
    from infra.config.settings import load
    from infra.processes import fixture_kinds
    from infra.processes.connections import check_schema_of, required_urls
    from schema.engine import make_engine

    settings = with_service_urls(require_local(load()))
    if with_dev and settings.is_production:
        raise SettingsError("--dev needs LOCALFN_ENV=local: dev_* fixtures are not loaded in production.")
    engine = make_engine(required_urls(settings)[0], pool_size=1)
    try:
        check_schema_of(engine)
        print_status(fixture_kinds.load(engine, settings, with_dev=with_dev, once=False))
    finally:
        engine.dispose()
