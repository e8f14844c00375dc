"""Every setting, read once from the environment and `.env`, checked, and then passed down as plain values.

The names and defaults are told in docs/reference/settings.md; a name that starts with LOCALFN_ and is not among them
stops the start, because a misspelt limit that is silently ignored is found out too late.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values, load_dotenv

from infra import command_name
from infra.config import file_storage
from infra.config.base_urls import normalise_root
from infra.config.database_url import from_parts, mask, normalise
from infra.config.environment import Environment
from infra.config.network_access import NetworkAccess, read_network_access
from infra.errors import SettingsError

NAMES = frozenset(
    {
        "LOCALFN_ALLOWED_HOSTS",
        "LOCALFN_ALLOWED_ORIGINS",
        "LOCALFN_API_KEY",
        "LOCALFN_AUTH",
        "LOCALFN_CONCURRENCY",
        "LOCALFN_ENV",
        "LOCALFN_FILES",
        "LOCALFN_FUNCTIONS",
        "LOCALFN_GRACE_SECONDS",
        "LOCALFN_HOME",
        "LOCALFN_INSECURE",
        "LOCALFN_LEASE_SECONDS",
        "LOCALFN_MAX_EVENT_BYTES",
        "LOCALFN_MAX_RESULT_BYTES",
        "LOCALFN_MAX_UPLOAD_BYTES",
        "LOCALFN_MIN_WORKERS",
        "LOCALFN_PYTHON",
        "LOCALFN_QUEUES",
        "LOCALFN_RETENTION_DAYS",
        "LOCALFN_SANDBOX_USER",
        "LOCALFN_TRUSTED_PROXIES",
        "LOCALFN_URL",
        "LOCALFN_WAIT_SECONDS",
    }
)
INTERNAL_NAMES = frozenset({command_name.VARIABLE})
SECRETS = ("superuser_password", "api_key")
MIB = 1024 * 1024
DEFAULT_FUNCTIONS = "./functions"


@dataclass(frozen=True, repr=False)
class Settings:
    """The settings of one process; a URL that is None means the embedded service."""

    env: str
    home: Path
    functions: tuple[str, ...]
    python: str
    sandbox_user: str | None
    host: str
    port: int
    is_port_given: bool
    database_url: str | None
    redis_url: str | None
    concurrency: int
    min_workers: int
    queues: tuple[str, ...]
    lease_s: float
    max_event_bytes: int
    max_upload_bytes: int
    max_result_bytes: int
    grace_s: float
    retention_days: float
    files: str
    superuser_username: str | None
    superuser_password: str | None
    superuser_email: str | None
    static_root: str
    api_root: str
    log_level: str
    log_format: str
    wait_s: float
    traces: bool
    api_key: str | None
    url: str | None
    network_access: NetworkAccess

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    def __repr__(self) -> str:
        """Settings end up in logs and bug reports: passwords never do."""
        shown = (f"{field.name}={self._displayed_value(field.name)!r}" for field in fields(self))
        return f"Settings({', '.join(shown)})"

    def _displayed_value(self, name: str) -> object:
        value = getattr(self, name)
        if name in SECRETS and value is not None:
            return "***"
        return mask(value) if name.endswith("_url") and value is not None else value


def load(
    environ: Mapping[str, str] | None = None, directory: Path | None = None, *, reads_file: bool = True
) -> Settings:
    """Read the settings from `environ` (default: ours) and the `.env` file in `directory` (default: the current one).

    The environment wins over the file, which is left out unless reads_file. Raises SettingsError, whose message names
    the variable.
    """
    directory = (directory or _current_folder()).absolute()
    # Without interpolation: a password may hold `${`, and what is written should be what is read.
    from_file = dotenv_values(directory / ".env", interpolate=False) if reads_file else {}
    merged = {name: value for name, value in from_file.items() if value is not None}
    merged.update(os.environ if environ is None else environ)
    _check_names(merged)
    return _read(Environment(merged), directory)


def export_dotenv(directory: Path | None = None) -> None:
    """Put the `.env` file into this process's environment, where functions and cloud clients look."""
    load_dotenv((directory or Path.cwd()) / ".env", override=False, interpolate=False)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise SettingsError("the current folder does not exist any more; change to another one.") from None


def _check_names(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if name.startswith("LOCALFN_") and name not in NAMES | INTERNAL_NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else "localfn has no such setting."
            raise SettingsError(f"{name} is unknown; {hint}")


def _read(env: Environment, directory: Path) -> Settings:
    mode = env.choice("LOCALFN_ENV", "local", ("local", "production"))
    production = mode == "production"
    concurrency = env.integer("LOCALFN_CONCURRENCY", 20, at_least=1)
    return Settings(
        env=mode,
        home=env.path("LOCALFN_HOME", ".localfn", directory),
        functions=env.sources("LOCALFN_FUNCTIONS", DEFAULT_FUNCTIONS, directory),
        python=env.program("LOCALFN_PYTHON", sys.executable, directory),
        sandbox_user=env.optional("LOCALFN_SANDBOX_USER"),
        host=env.text("HOST", "0.0.0.0" if production else "127.0.0.1"),  # noqa: S104 - containers need it
        port=env.integer("PORT", 5000, at_least=1, at_most=65535),
        is_port_given=env.optional("PORT") is not None,
        database_url=_database_url(env, required=production),
        redis_url=_redis_url(env, required=production),
        concurrency=concurrency,
        min_workers=env.integer("LOCALFN_MIN_WORKERS", min(cores(), concurrency), at_least=1, at_most=concurrency),
        queues=_queues(env),
        lease_s=env.number("LOCALFN_LEASE_SECONDS", 8, above=0),
        max_event_bytes=env.size("LOCALFN_MAX_EVENT_BYTES", MIB),
        max_upload_bytes=env.size("LOCALFN_MAX_UPLOAD_BYTES", 100 * MIB),
        max_result_bytes=env.size("LOCALFN_MAX_RESULT_BYTES", 6 * MIB),
        grace_s=env.number("LOCALFN_GRACE_SECONDS", 30),
        retention_days=env.number("LOCALFN_RETENTION_DAYS", 30),
        files=_files(env),
        superuser_username=env.optional("SUPERUSER_USERNAME"),
        superuser_password=_superuser_password(env),
        superuser_email=env.optional("SUPERUSER_EMAIL"),
        static_root=normalise_root("VITE_APP_STATIC_ROOT", env.text("VITE_APP_STATIC_ROOT", "/")),
        api_root=normalise_root("VITE_APP_API_ROOT", env.text("VITE_APP_API_ROOT", "/api")),
        log_level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
        log_format=env.choice("LOG_FORMAT", "json" if production else "text", ("text", "json")),
        wait_s=env.number("LOCALFN_WAIT_SECONDS", 60, above=0),
        traces=_traces(env),
        api_key=env.optional("LOCALFN_API_KEY"),
        url=env.url("LOCALFN_URL", "http://127.0.0.1:5000"),
        network_access=read_network_access(env, production=production),
    )


def _database_url(env: Environment, *, required: bool) -> str | None:
    url = env.optional("DATABASE_URL")
    if url is not None:
        return normalise(url)
    joined = from_parts(env)
    if joined is None and required:
        raise SettingsError("DATABASE_URL is missing: with LOCALFN_ENV=production there is no embedded one.")
    return joined


def _redis_url(env: Environment, *, required: bool) -> str | None:
    """RQ's own name wins: everything we keep in Redis is RQ's."""
    for name in ("RQ_REDIS_URL", "REDIS_URL"):
        url = env.optional(name)
        if url is None:
            continue
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError(f"{name} must start with redis://, rediss:// or unix://.")
        _check_parts(name, url)
        return url
    if required:
        raise SettingsError("REDIS_URL is missing: with LOCALFN_ENV=production there is no embedded one.")
    return None


def _check_parts(name: str, url: str) -> None:
    """Raise SettingsError for a URL that cannot be taken apart. The error never quotes it: it may hold a password."""
    try:
        parts = urlsplit(url)
        rest = parts.fragment if parts.scheme == "unix" else parts.path + parts.fragment
        is_whole = parts.port != 0 and "@" not in rest and ("@" not in parts.query or "=" in parts.query)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise SettingsError(
            f"{name} is not a valid URL. Percent-encode what is special in its user name and password: / as %2F, "
            "? as %3F, # as %23, [ as %5B, @ as %40."
        )


def _queues(env: Environment) -> tuple[str, ...]:
    queues = env.items("LOCALFN_QUEUES", "high,default,low", separator=",")
    for queue in queues:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", queue):
            raise SettingsError(f"LOCALFN_QUEUES: {queue!r} is no queue name (letters, digits, - and _).")
    return tuple(dict.fromkeys(queues))


def _files(env: Environment) -> str:
    files = env.text("LOCALFN_FILES", "file:")
    file_storage.parse(files)
    return files


def _traces(env: Environment) -> bool:
    """Whether a collector of traces is set. The names are OpenTelemetry's, whose exporter reads them itself."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return bool({name for name in names if env.url(name, "http://localhost:4318")})  # each is checked


def _superuser_password(env: Environment) -> str | None:
    password = env.optional("SUPERUSER_PASSWORD")
    if (env.optional("SUPERUSER_USERNAME") is None) != (password is None):
        missing = "SUPERUSER_USERNAME" if password else "SUPERUSER_PASSWORD"
        raise SettingsError(f"{missing} is missing: a superuser needs both name and password.")
    return password


def cores() -> int:
    """The cores this process may use: a container's share, where the system can say it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
