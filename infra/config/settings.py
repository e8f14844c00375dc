"""Declare, read and check every setting of a process; the rest of the code gets plain values.

They come from the environment, from `.env` and from `localfn.toml`. A name that starts with LOCALFN_ and is not
declared stops the start: a misspelt limit must not be silently ignored.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from infra import command_name
from infra.config import file_storage
from infra.config.base_urls import normalise_root
from infra.config.capacity import cores
from infra.config.database_url import POSTGRES_PARTS, read_database_url, read_redis_url
from infra.config.declaration import (
    DECLARED,
    Source,
    check_names,
    choice,
    group,
    http_url,
    integer,
    is_set,
    list_separators,
    number,
    optional,
    path,
    program,
    read_fields,
    setting,
    size,
    text,
)
from infra.config.environment import Environment, require_extra
from infra.config.network_access import NetworkAccess
from infra.config.service_links import without_service_links
from infra.config.setting_files import layers, secret_files
from infra.errors import SettingsError
from infra.redaction import redact_url

if TYPE_CHECKING:
    from workqueue.files.disk_space import Disk
    from workqueue.files.store import FileStore

MIB = 1024 * 1024
DEFAULT_FUNCTIONS = "./functions"
CORES_PER_WORKER = 4
OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def _workers(source: Source, name: str, _: None) -> int:
    concurrency = source.earlier["concurrency"]
    default = min(ceil(cores() / CORES_PER_WORKER), concurrency)
    return source.env.integer(name, default, at_least=1, at_most=concurrency)


def _functions(source: Source, name: str, default: str) -> tuple[str, ...]:
    return source.env.sources(name, default, source.directory)


def _queues(source: Source, name: str, default: str) -> tuple[str, ...]:
    queues = source.env.items(name, default, separator=",")
    for queue in queues:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", queue):
            raise SettingsError(f"{name}: {queue!r} is not a valid queue name; use letters, digits, - and _.")
    return tuple(dict.fromkeys(queues))


def _files(source: Source, name: str, default: str) -> str:
    files = source.env.text(name, default)
    file_storage.parse(files)
    return files


def _base_url(source: Source, name: str, default: str) -> str:
    return normalise_root(name, source.env.text(name, default))


def _traces(source: Source, *_: object) -> bool:
    """Return True if a trace collector is set. OpenTelemetry's exporter reads these variables itself."""
    given = [endpoint for endpoint in OTLP_ENDPOINTS if source.env.url(endpoint, "http://localhost:4318")]
    if given:
        require_extra("otel", "opentelemetry", given[0])
    return bool(given)


def _superuser_password(source: Source, name: str, _: None) -> str | None:
    password, username = source.env.optional(name), source.earlier["superuser_username"]
    if (username is None) != (password is None):
        missing = "SUPERUSER_USERNAME" if password else name
        raise SettingsError(f"{missing} is missing; a superuser needs both SUPERUSER_USERNAME and SUPERUSER_PASSWORD.")
    return password


where = partial(setting, section="Where")
functions_setting = partial(setting, section="Functions")
work = partial(setting, section="Work")
access = partial(setting, section="Access")
telemetry = partial(setting, section="Telemetry")


# fmt: off
@dataclass(frozen=True, repr=False)
class Settings:
    """Hold the settings of one process; a URL of None means the embedded service. Fields are read in this order."""

    env: str = where("LOCALFN_ENV", choice("local", "production"), "local", about="`local` or `production`")
    host: str = where("HOST", text, "127.0.0.1", production="0.0.0.0", about="address that HTTP listens on")  # noqa: S104
    port: int = where("PORT", integer(1, 65535), 5000, about="port that HTTP listens on")
    is_port_given: bool = where("PORT", is_set)
    home: Path = where(
        "LOCALFN_HOME", path, ".localfn", shown="./.localfn",
        about="folder for all data of one runtime: embedded servers, working directories, files",
    )
    files: str = where(
        "LOCALFN_FILES", _files, "file:",
        about="store of uploads and output files: `file:` below `LOCALFN_HOME`, or `s3://bucket/prefix`",
    )
    files_timeout_s: float = where(
        "LOCALFN_FILES_TIMEOUT_SECONDS", number(above=0), file_storage.TIMEOUT_S, shown="20",
        about="limit of a call to S3 that does not answer, its second try included",
    )
    database_url: str | None = where(
        "DATABASE_URL", read_database_url, shown="embedded", parts=POSTGRES_PARTS,
        about="`postgresql://…`, or built from `POSTGRES_HOST` (localhost), `POSTGRES_PORT` (5432), `POSTGRES_DB` (the "
        "user name), `POSTGRES_USER` (postgres) and `POSTGRES_PASSWORD`, if one is set. Required in production",
    )
    redis_url: str | None = where(
        "REDIS_URL", read_redis_url, shown="embedded", parts=("RQ_REDIS_URL",),
        about="`redis://`, `rediss://` or `unix://`; `RQ_REDIS_URL` takes precedence. Required in production",
    )
    wait_s: float = where(
        "LOCALFN_WAIT_SECONDS", number(above=0), 60, about="how long a start waits for PostgreSQL and Redis"
    )
    static_root: str = where("VITE_APP_STATIC_ROOT", _base_url, "/", about="base URL of the SPA: a path or a URL")
    api_root: str = where("VITE_APP_API_ROOT", _base_url, "/api", about="base URL of the API: a path or a URL")

    functions: tuple[str, ...] = functions_setting(
        "LOCALFN_FUNCTIONS", _functions, DEFAULT_FUNCTIONS, separator=":",
        about="folders or importable modules with functions, separated by `:`",
    )
    python: str = functions_setting(
        "LOCALFN_PYTHON", program, sys.executable, shown="the running one",
        about="interpreter for functions, CPython 3.9 or newer: a path, or a name on PATH",
    )
    sandbox_user: str | None = functions_setting(
        "LOCALFN_SANDBOX_USER", optional, shown="as root: a dedicated account",
        about="account that runs functions when root starts localfn; `root` allows root",
    )
    max_event_bytes: int = functions_setting(
        "LOCALFN_MAX_EVENT_BYTES", size, MIB, shown="1 MiB",
        about="limit of an event as JSON, in bytes or as `512 KiB`, `20 MiB`, `1 GiB`",
    )
    max_upload_bytes: int = functions_setting(
        "LOCALFN_MAX_UPLOAD_BYTES", size, 100 * MIB, shown="100 MiB", about="limit of all uploads of one request"
    )
    max_result_bytes: int = functions_setting(
        "LOCALFN_MAX_RESULT_BYTES", size, 6 * MIB, shown="6 MiB", about="limit of a result as JSON"
    )

    concurrency: int = work(
        "LOCALFN_CONCURRENCY", integer(1), 20,
        about="maximum number of concurrent requests on this machine, of all its workers together",
    )
    workers: int = work(
        "LOCALFN_WORKERS", _workers, shown="one per four cores", about="worker processes of this machine"
    )
    min_workers: int = work(
        "LOCALFN_MIN_WORKERS", integer(0), 0, shown="none", about="ignored since 0.3; see `LOCALFN_WORKERS`"
    )
    queues: tuple[str, ...] = work(
        "LOCALFN_QUEUES", _queues, "high,default,low", separator=",",
        about="queues that the workers of this machine serve, in order",
    )
    lease_s: float = work(
        "LOCALFN_LEASE_SECONDS", number(above=0), 8,
        about="a worker that does not renew its lease for this long loses its request, which runs again",
    )
    grace_s: float = work(
        "LOCALFN_GRACE_SECONDS", number(), 30,
        about="time to finish after SIGTERM before a worker gives its request back; at most 5 under `localfn up`",
    )
    web_grace_s: int = work(
        "LOCALFN_WEB_GRACE_SECONDS", integer(0, 3600), 10,
        about="time for calls under way to finish after SIGTERM to web; at most 5 under `localfn up`",
    )
    unknown_function_s: float = work(
        "LOCALFN_UNKNOWN_FUNCTION_SECONDS", number(above=0), 60,
        about="a waiting request fails when no worker pool has had its function for this long",
    )
    retention_days: float = work(
        "LOCALFN_RETENTION_DAYS", number(), 30,
        about="age at which ended requests are deleted with their files; 0 keeps all",
    )

    network_access: NetworkAccess = group(NetworkAccess)
    superuser_username: str | None = access(
        "SUPERUSER_USERNAME", optional, about="name of the first admin, created or updated at each start"
    )
    superuser_password: str | None = access(
        "SUPERUSER_PASSWORD", _superuser_password, is_secret=True, about="password of the first admin"
    )
    superuser_email: str | None = access("SUPERUSER_EMAIL", optional, about="email address of the first admin")
    api_key: str | None = access("LOCALFN_API_KEY", optional, is_secret=True, about="API key of the command line")
    url: str | None = access(
        "LOCALFN_URL", http_url("http://127.0.0.1:5000"), shown="`HOST` and `PORT`, or the address of the running `up`",
        about="runtime that commands call, such as `https://tools.example.org/localfn`",
    )

    log_level: str = telemetry(
        "LOG_LEVEL", choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO",
        about="DEBUG, INFO, WARNING, ERROR or CRITICAL",
    )
    log_format: str = telemetry(
        "LOG_FORMAT", choice("text", "json"), "text", production="json", about="`text` or `json`"
    )
    traces: bool = telemetry(
        OTLP_ENDPOINTS[0], _traces, parts=OTLP_ENDPOINTS[1:],
        about="trace collector, such as `http://localhost:4318`; `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` works, too",
    )

    # fmt: on

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    def make_store(self, disk: "Disk | None" = None) -> "FileStore":
        """Return the file store of a process and of its forks. disk: that of LOCALFN_HOME."""
        timeout_s, creates_bucket = self.files_timeout_s, not self.is_production
        return file_storage.make_store(
            self.files, self.home, disk, timeout_s=timeout_s, creates_bucket=creates_bucket
        )

    def __repr__(self) -> str:
        """Show all settings but secrets: the text ends up in logs and bug reports."""
        shown = (f"{field.name}={self._displayed_value(field.name)!r}" for field in fields(self))
        return f"Settings({', '.join(shown)})"

    def _displayed_value(self, name: str) -> object:
        value = getattr(self, name)
        declared = type(self).__dataclass_fields__[name].metadata.get(DECLARED)
        if value is not None and declared is not None and declared.is_secret:
            return "***"
        return redact_url(value) if name.endswith("_url") and value is not None else value


SEPARATORS = list_separators(Settings)
NAMES = frozenset(SEPARATORS)


def load(
    environ: Mapping[str, str] | None = None, directory: Path | None = None, *, reads_files: bool = True
) -> Settings:
    """Read the settings from `environ` (default: this process's), and from the files in `directory` (the current).

    reads_files: False ignores `.env` and `localfn.toml`. Raises SettingsError, naming the variable.
    """
    variables = os.environ if environ is None else environ
    directory = (directory or layers.current_folder()).absolute()
    if reads_files:
        variables = layers.merge(layers.read_layers(variables, directory, SEPARATORS))
    variables = secret_files.with_secret_files(without_service_links(variables), directory)
    check_names(Settings, variables, prefix="LOCALFN_", allowed=frozenset({command_name.VARIABLE}))
    return read_fields(Settings, Source(Environment(variables), directory))


def load_and_export() -> Settings:
    """Load the settings, and put the files' variables into the environment, for functions, cloud clients, children."""
    variables = layers.merge(layers.read_layers(os.environ, layers.current_folder(), SEPARATORS))
    settings = load(variables, reads_files=False)
    os.environ.update(variables)
    for name, value in variables.items():
        if name.startswith("AWS_") and not value:
            del os.environ[name]  # to boto3 an empty region is a region
    return settings
