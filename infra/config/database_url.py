"""Read the URLs of PostgreSQL and Redis. No error quotes a URL: it may contain a password."""

import re
from urllib.parse import quote, urlsplit

from infra.config.declaration import Source
from infra.config.environment import Environment
from infra.errors import SettingsError

DRIVER = "postgresql+psycopg://"
DEFAULT_PORT = 5432
SEVERAL_HOSTS = re.compile(r"(?P<login>[^@]*@)?+(?P<hosts>[^/?@,]+(?:,[^/?@,]+)+)(?P<rest>.*)")
POSTGRES_PARTS = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")


def read_database_url(source: Source, name: str, _: None) -> str | None:
    """Return the PostgreSQL URL with the installed driver; None for the embedded server."""
    url = source.env.optional(name)
    if url is not None:
        return normalise(url, name)
    built = from_parts(source.env)
    if built is None and source.is_production:
        raise SettingsError(f"{name} is missing; LOCALFN_ENV=production has no embedded PostgreSQL.")
    return built


def read_redis_url(source: Source, name: str, _: None) -> str | None:
    """Return the Redis URL; None for the embedded server. RQ's own variable takes precedence: Redis holds RQ's data."""
    for variable in ("RQ_REDIS_URL", name):
        url = source.env.optional(variable)
        if url is not None:
            _check_redis_url(variable, url)
            return url
    if source.is_production:
        raise SettingsError(f"{name} is missing; LOCALFN_ENV=production has no embedded Redis.")
    return None


def normalise(url: str, name: str = "DATABASE_URL") -> str:
    """Return the URL with the installed driver. Raises SettingsError."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise SettingsError(f"{name} must start with postgresql://.")
    return DRIVER + _with_hosts_as_parameters(rest)


def _with_hosts_as_parameters(rest: str) -> str:
    """Move several hosts, such as a primary and its standbys, where SQLAlchemy and libpq both find them."""
    found = SEVERAL_HOSTS.fullmatch(rest)
    if found is None:
        return rest
    pairs = [_host_and_port(each) for each in found["hosts"].split(",")]
    hosts, ports = ",".join(host for host, _ in pairs), ",".join(port for _, port in pairs)
    path, _, query = found["rest"].partition("?")
    return f"{found['login'] or ''}{path or '/'}?host={hosts}&port={ports}" + (f"&{query}" if query else "")


def _host_and_port(address: str) -> tuple[str, str]:
    """Split an address such as `db:5433`, `db` or `[::1]`."""
    host, separator, port = address.rpartition(":")
    if not separator or port.endswith("]"):
        host, port = address, str(DEFAULT_PORT)
    return host.strip("[]"), port


def from_parts(env: Environment) -> str | None:
    """Build a URL from POSTGRES_*, with the defaults of the official container image; None if none is set."""
    if not any(env.is_set(name) for name in POSTGRES_PARTS):
        return None
    user = env.text("POSTGRES_USER", "postgres")
    return build_url(
        host=env.text("POSTGRES_HOST", "localhost"),
        port=env.integer("POSTGRES_PORT", DEFAULT_PORT, at_least=1, at_most=65535),
        database=env.text("POSTGRES_DB", user),
        user=user,
        password=env.optional("POSTGRES_PASSWORD"),
    )


def build_url(*, host: str, port: int, database: str, user: str, password: str | None) -> str:
    """Return a URL with every part escaped. A host that starts with a slash is the folder of a Unix socket.

    SQLAlchemy's URL would do, but `sqlalchemy` takes long to import, and leaves spaces in a password unescaped, which
    libpq rejects.
    """
    login = quote(user, safe="") + ("" if password is None else ":" + quote(password, safe=""))
    if host.startswith("/"):
        return f"{DRIVER}{login}@/{quote(database, safe='')}?host={quote(host, safe='/')}&port={port}"
    bracketed = f"[{host}]" if ":" in host else host
    return f"{DRIVER}{login}@{bracketed}:{port}/{quote(database, safe='')}"


def for_libpq(url: str) -> str:
    """Return the URL without the driver, for PostgreSQL's own programs."""
    return url.replace("+psycopg", "", 1)


def _check_redis_url(name: str, url: str) -> None:
    """Raise SettingsError for a wrong scheme, or for special characters that split the URL in the wrong place."""
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError(f"{name} must start with redis://, rediss:// or unix://.")
    try:
        parts = urlsplit(url)
        rest = parts.fragment if parts.scheme == "unix" else parts.path + parts.fragment
        is_valid = parts.port != 0 and "@" not in rest and ("@" not in parts.query or "=" in parts.query)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise SettingsError(
            f"{name} is not a valid URL. Percent-encode special characters in its user name and password: / as %2F, "
            "? as %3F, # as %23, [ as %5B, @ as %40."
        )
