"""Complete settings with the addresses of the `up` that runs with the same home.

Imports of psutil and of the servers' clients are delayed: they take long, and most commands need none.
"""

from dataclasses import replace
from urllib.parse import urlsplit

from infra.config.settings import Settings
from infra.errors import NotRunningError, SettingsError

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def with_service_urls(settings: Settings, *, needs_database: bool = True) -> Settings:
    """Return settings with both URLs. Raises NotRunningError when one is neither set nor found.

    needs_database: False for a process that uses only Redis.
    """
    if settings.redis_url and (settings.database_url or not needs_database):
        return settings
    from infra.embedded.service_lookup import find_running_services

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


def with_running_address(settings: Settings) -> Settings:
    """Return settings with the HTTP address of the running `up`, unless PORT or LOCALFN_URL is set."""
    if settings.url is not None or settings.is_port_given:
        return settings
    from infra.supervisor.pid_records import PidRecords

    record = PidRecords(settings.home / "run").find("web")
    if record is None or record.address is None or record.process() is None:
        return settings
    host, port = record.address
    return replace(settings, host=host, port=port)


def is_remote(settings: Settings) -> bool:
    """Return True if LOCALFN_URL names another runtime than that of this machine's settings."""
    if settings.url is None:
        return False
    parts, here = urlsplit(settings.url), with_running_address(replace(settings, url=None))
    return (parts.hostname, parts.port) not in {(host, here.port) for host in (*LOOPBACK_NAMES, here.host)}


def require_local(settings: Settings) -> Settings:
    """Return the settings. Raises SettingsError if LOCALFN_URL names another runtime, whose database is elsewhere."""
    if is_remote(settings):
        raise SettingsError(
            f"this command uses the database of this machine, but LOCALFN_URL is {settings.url}; "
            "run it on that machine, or unset LOCALFN_URL."
        )
    return settings
