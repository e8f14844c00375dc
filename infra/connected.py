"""Completes the settings of a process started alone with the addresses of the `up` of its home."""

from dataclasses import replace

from infra.embedded.running import find_running
from infra.errors import NotRunningError
from infra.settings import Settings


def connected(settings: Settings) -> Settings:
    """Settings whose two URLs are set. Raises NotRunningError when one is neither given nor to be found."""
    if settings.database_url and settings.redis_url:
        return settings
    running = find_running(settings.home)
    database_url = settings.database_url or running.database_url
    redis_url = settings.redis_url or running.redis_url
    missing = [name for name, url in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url)) if url is None]
    if missing:
        raise NotRunningError(
            f"no runtime is reachable: `localfn up` does not run with {settings.home}, "
            f"and there is no {' and no '.join(missing)}."
        )
    return replace(settings, database_url=database_url, redis_url=redis_url)
