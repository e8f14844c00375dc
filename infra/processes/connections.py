"""Provide what every process needs: the service URLs, the Redis client, and a check of the database schema."""

import importlib.metadata

from redis import Redis
from sqlalchemy import Engine

from infra.config.settings import Settings
from infra.errors import NewerSchemaError
from schema import revision
from schema.engine import make_engine
from workqueue.transport.circuit_breaker import TIMEOUT_S


def required_urls(settings: Settings) -> tuple[str, str]:
    """Return the database URL and the Redis URL; infra.config.service_urls has filled in both."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    return settings.database_url, settings.redis_url


def redis_client(url: str) -> Redis:
    """Return a client with short timeouts: Redis is only a doorbell, so no caller waits long for it."""
    return Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)


def check_schema(database_url: str) -> None:
    """Check the schema with a connection of its own."""
    engine = make_engine(database_url, pool_size=1, max_overflow=0)
    try:
        check_schema_of(engine)
    finally:
        engine.dispose()


def check_schema_of(engine: Engine) -> None:
    """Raise NewerSchemaError if a newer version has changed what this code needs."""
    if too_new := revision.find_too_new(engine):
        raise NewerSchemaError(
            f"the database has schema revision {too_new}, and localfn {importlib.metadata.version('localfn')} knows "
            f"revisions up to {revision.head_revision()}: a newer version has migrated it. "
            "Start that version, or restore a backup from before the upgrade."
        )
