"""Wait for PostgreSQL and Redis at the start, with backoff and a deadline, and print why."""

import time
from collections.abc import Callable

import psycopg
import redis

from infra.config.database_url import for_libpq
from infra.config.settings import Settings
from infra.errors import NotRunningError
from infra.redaction import redact_url
from infra.supervisor.output import print_message
from workqueue.backoff import Backoff

FIRST_DELAY_S, MAX_DELAY_S = 0.1, 2.0


def wait_for_services(settings: Settings) -> None:
    """Return when PostgreSQL and Redis answer. Raises NotRunningError after LOCALFN_WAIT_SECONDS."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    database_url, redis_url = settings.database_url, settings.redis_url
    wait_for(f"PostgreSQL at {redact_url(database_url)}", lambda: ping_postgres(database_url), settings.wait_s)
    wait_for(f"Redis at {redact_url(redis_url)}", lambda: ping_redis(redis_url), settings.wait_s)


def ping_postgres(database_url: str) -> None:
    with psycopg.connect(for_libpq(database_url), connect_timeout=3) as connection:
        connection.execute("SELECT 1")


def ping_redis(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, socket_connect_timeout=3, socket_timeout=3) as client:
        client.ping()


def wait_for(what: str, ping: Callable[[], None], limit_s: float) -> None:
    """Call `ping` until it raises no connection error."""
    ends_at, reported = time.monotonic() + limit_s, ""
    backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
    while True:
        try:
            return ping()
        except (psycopg.OperationalError, redis.RedisError) as error:
            reason = str(error).strip().split("\n")[0]
        delay_s = backoff.next_s()
        if time.monotonic() + delay_s > ends_at:
            raise NotRunningError(f"{what} did not answer within {limit_s:g} s: {reason}")
        if reason != reported:
            print_message(f"waiting for {what}: {reason}")
            reported = reason
        time.sleep(delay_s)
