"""Runs migrations on the connection that schema.migrate hands over."""

from alembic import context

from schema import access, schedules  # noqa: F401 - their tables are part of the metadata
from schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
