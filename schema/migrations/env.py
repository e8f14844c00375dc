"""Run migrations on the connection that schema.migrate passes in."""

from alembic import context

from schema.autogenerate import OPTIONS, metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
