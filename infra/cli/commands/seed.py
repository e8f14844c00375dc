"""`localfn seed`: loads the fixtures by hand."""

import click

from infra.cli.output.tables import print_status
from infra.errors import SettingsError


@click.command()
@click.option("--dev", "with_dev", is_flag=True, help="Those of dev_* files, too; not in production.")
def seed(with_dev: bool) -> None:
    """Load the fixtures. What is there already stays as it is, so it may be called again."""
    from infra.config.service_urls import require_local, with_service_urls
    from infra.config.settings import load
    from infra.processes import fixture_kinds
    from infra.processes.connections import urls
    from schema.engine import make_engine

    settings = with_service_urls(require_local(load()))
    if with_dev and settings.is_production:
        raise SettingsError("--dev is for LOCALFN_ENV=local: dev_* fixtures stay out of production.")
    engine = make_engine(urls(settings)[0], pool_size=1)
    try:
        print_status(fixture_kinds.load(engine, settings, with_dev=with_dev, once=False))
    finally:
        engine.dispose()
