"""The one form of a PostgreSQL URL that the rest of the program sees, and how to show it safely."""

from urllib.parse import quote

from infra.config.environment import Environment
from infra.errors import SettingsError
from infra.redaction import redact_url

DRIVER = "postgresql+psycopg://"


def normalise(url: str) -> str:
    """The URL with the driver we install. The error never quotes it: it may hold a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise SettingsError("DATABASE_URL must start with postgresql://.")
    return DRIVER + rest


def from_parts(env: Environment) -> str | None:
    """A URL joined from POSTGRES_*, with the defaults of the official container image; None without them."""
    names = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")
    if not any(env.optional(name) for name in names):
        return None
    user = env.text("POSTGRES_USER", "postgres")
    return build_url(
        host=env.text("POSTGRES_HOST", "localhost"),
        port=env.integer("POSTGRES_PORT", 5432, at_least=1, at_most=65535),
        database=env.text("POSTGRES_DB", user),
        user=user,
        password=env.optional("POSTGRES_PASSWORD"),
    )


def build_url(*, host: str, port: int, database: str, user: str, password: str | None) -> str:
    """Every part escaped. A host that begins with a slash is the folder of a unix socket."""
    login = quote(user, safe="") + ("" if password is None else ":" + quote(password, safe=""))
    if host.startswith("/"):
        return f"{DRIVER}{login}@/{quote(database, safe='')}?host={quote(host, safe='/')}&port={port}"
    bracketed = f"[{host}]" if ":" in host else host
    return f"{DRIVER}{login}@{bracketed}:{port}/{quote(database, safe='')}"


def for_libpq(url: str) -> str:
    """As PostgreSQL's own programs read it: without the driver."""
    return url.replace("+psycopg", "", 1)


def mask(url: str) -> str:
    """Return the URL with its password, wherever it stands, as `***`."""
    return redact_url(url)
