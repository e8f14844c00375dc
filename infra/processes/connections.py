"""Provide the service URLs and the Redis client that every process needs."""

from redis import Redis

from infra.config.settings import Settings
from workqueue.transport.circuit_breaker import TIMEOUT_S


def required_urls(settings: Settings) -> tuple[str, str]:
    """Return the database URL and the Redis URL; infra.config.service_urls has filled in both."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    return settings.database_url, settings.redis_url


def redis_client(url: str) -> Redis:
    """Return a client with short timeouts: Redis is only a doorbell, so no caller waits long for it."""
    return Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)
