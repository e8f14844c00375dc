"""The addresses and clients that every process needs."""

from redis import Redis

from infra.config.settings import Settings
from workqueue.transport.circuit_breaker import TIMEOUT_S


def urls(settings: Settings) -> tuple[str, str]:
    """Database and Redis; infra.config.service_urls has filled them in by now."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    return settings.database_url, settings.redis_url


def redis_client(url: str) -> Redis:
    """Times are short: Redis is only a doorbell, and nobody waits long at a door."""
    return Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)
