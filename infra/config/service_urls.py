"""Completes the settings of a process started alone with the addresses of the `up` of its home."""

from dataclasses import replace
from urllib.parse import urlsplit

from infra.config.settings import Settings
from infra.embedded.service_lookup import find_running_services
from infra.errors import NotRunningError, SettingsError
from infra.located import with_running_address

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def with_service_urls(settings: Settings, *, needs_database: bool = True) -> Settings:
    """Return settings whose URLs are set. Raises NotRunningError when one is neither given nor to be found.

    needs_database: False for a process that uses Redis alone.
    """
    if settings.redis_url and (settings.database_url or not needs_database):
        return settings
    running = find_running_services(settings.home)
    database_url = settings.database_url or running.database_url
    redis_url = settings.redis_url or running.redis_url
    needed = {"REDIS_URL": redis_url} | ({"DATABASE_URL": database_url} if needs_database else {})
    missing = sorted(name for name, url in needed.items() if url is None)
    if missing:
        raise NotRunningError(
            f"no runtime is reachable: `localfn up` does not run with {settings.home}, "
            f"and there is no {' and no '.join(missing)}."
        )
    return replace(settings, database_url=database_url, redis_url=redis_url)


def is_remote(settings: Settings) -> bool:
    """Return whether LOCALFN_URL names another runtime than the one of this machine's settings."""
    if settings.url is None:
        return False
    parts, here = urlsplit(settings.url), with_running_address(replace(settings, url=None))
    return (parts.hostname, parts.port) not in {(host, here.port) for host in (*LOOPBACK_NAMES, here.host)}


def require_local(settings: Settings) -> Settings:
    """Return them. Raises SettingsError where LOCALFN_URL names another runtime: that one's database is not at hand."""
    if is_remote(settings):
        raise SettingsError(
            f"this command works on the database of the machine that it runs on, and LOCALFN_URL is {settings.url}; "
            "call it on that machine, or unset LOCALFN_URL."
        )
    return settings
