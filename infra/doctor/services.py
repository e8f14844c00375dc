"""Check settings, web, Redis, PostgreSQL and the runtime's state for `localfn doctor`, and suggest a fix for each."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import redis
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.api_client import Client, UnreachableError, connect
from infra.config.database_url import for_libpq
from infra.config.listen_address import check_port
from infra.config.service_urls import is_remote, with_running_address, with_service_urls
from infra.config.setting_files import function_limits, layers
from infra.config.settings import SEPARATORS, Settings, load
from infra.doctor import CheckResult, database, machine
from infra.errors import InfraError, PortTakenError, SettingsError
from infra.redaction import redact, redact_url
from schema import revision
from schema.engine import make_engine
from workqueue.clock import Clock
from workqueue.functions import registry
from workqueue.heartbeats import worker_heartbeats
from workqueue.schedules.queries import list_schedules
from workqueue.transport.circuit_breaker import write_refusal
from workqueue.transport.doorbell import PROBE, PROBE_TTL_S

MIN_POSTGRES, MIN_REDIS = 14, (6, 2)
TIMEOUT_S = 3


def run_checks() -> Iterator[CheckResult]:
    """Run all checks in order. Skip the checks that depend on a server that does not answer."""
    try:
        settings = with_running_address(load())
        client = connect(settings)
        function_limits.read(Path.cwd())
    except SettingsError as error:
        yield CheckResult("settings", False, str(error), "correct it in the environment, .env or localfn.toml")
        return
    yield CheckResult("settings", True, f"{settings.env}, {client.url}")
    for source, names in layers.origins(layers.read_layers(os.environ, Path.cwd(), SEPARATORS), SEPARATORS):
        yield CheckResult("settings", True, f"from {source}: {', '.join(names)}")
    if is_remote(settings):
        with client:
            yield web(client, settings)
        yield CheckResult(
            "machine", True, "LOCALFN_URL names another runtime", "run doctor on that machine for all other checks"
        )
        return
    yield machine.interpreter(settings)
    yield machine.account(settings)
    yield machine.home(settings)
    yield machine.folders(settings)
    yield machine.open_files(settings)
    yield machine.files(settings)
    yield machine.pages(settings)
    with client:
        yield web(client, settings)
    try:
        settings = with_service_urls(settings)
    except InfraError as error:
        yield CheckResult("services", False, str(error), "start them with `localfn up`, or set both URLs")
        return
    yield redis_server(settings)
    yield from _database(settings)


def is_nothing_running(findings: list[CheckResult]) -> bool:
    """Return True if neither a web process nor a worker was found."""
    return not any(finding.ok for finding in findings if finding.name in ("web", "workers"))


def web(client: Client, settings: Settings) -> CheckResult:
    """Check that localfn answers at its address; if not, check that the port is free."""
    try:
        answer = client.get("/healthz", timeout_s=TIMEOUT_S)
        if answer == {"status": "ok"}:
            return CheckResult("web", True, f"answers at {client.url}")
    except UnreachableError as error:
        if is_remote(settings):
            return CheckResult("web", False, str(error), "correct LOCALFN_URL, or start that runtime")
        try:
            check_port(settings.host, settings.port)
        except PortTakenError:
            return CheckResult("web", False, str(error), "set PORT to a free port, or stop the program on this one")
        return CheckResult("web", False, f"nothing answers at {client.url}", "start it with `localfn up`")
    except InfraError as error:
        return CheckResult("web", False, str(error), "see the log of the web process")
    return CheckResult("web", False, f"{client.url} answers, but is not localfn", "set PORT to a free port")


def redis_server(settings: Settings) -> CheckResult:
    assert settings.redis_url is not None
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S
        ) as client:
            version = str(client.info("server")["redis_version"])
            client.set(PROBE, b"", ex=PROBE_TTL_S)
    except redis.ResponseError as error:
        cause = write_refusal(error) or _first_line(error)
        return CheckResult("Redis", False, f"it rejects writes: {cause}", "free memory or disk space, or use a primary")
    except (redis.RedisError, ValueError) as error:
        return CheckResult(
            "Redis", False, _first_line(error), f"start it, or correct REDIS_URL ({redact_url(settings.redis_url)})"
        )
    if tuple(map(int, version.split(".")[:2])) < MIN_REDIS:
        return CheckResult("Redis", False, f"version {version} is too old", "install 6.2 or newer")
    return CheckResult("Redis", True, f"{version} answers")


def postgres(database_url: str) -> CheckResult:
    try:
        with psycopg.connect(for_libpq(database_url), connect_timeout=TIMEOUT_S) as connection:
            version = connection.info.server_version // 10_000
            shown = connection.info.parameter_status("server_version") or str(version)
    except psycopg.Error as error:
        hint = f"start it, or correct DATABASE_URL ({redact_url(database_url)})"
        return CheckResult("PostgreSQL", False, _first_line(error), hint)
    if version < MIN_POSTGRES:
        return CheckResult("PostgreSQL", False, f"version {shown} is too old", f"install {MIN_POSTGRES} or newer")
    return CheckResult("PostgreSQL", True, f"{shown.split()[0]} answers")


def _database(settings: Settings) -> Iterator[CheckResult]:
    """Check PostgreSQL, and then the state that it stores."""
    assert settings.database_url is not None
    found = postgres(settings.database_url)
    yield found
    if not found.ok:
        return
    engine = make_engine(settings.database_url, pool_size=2, max_overflow=0)
    try:
        yield from database.access(engine, settings.workers)
        found = _migrations(engine)
        yield found
        if found.ok:
            yield from _runtime(engine)
    except SQLAlchemyError as error:
        yield CheckResult("PostgreSQL", False, _first_line(error), "see its log, then run doctor again")
    finally:
        engine.dispose()


def _migrations(engine: Engine) -> CheckResult:
    if revision.is_current(engine):
        return CheckResult("migrations", True, "the schema is current")
    if newer := revision.find_newer(engine):
        detail = f"the database has revision {newer}, this version knows up to {revision.head_revision()}"
        if revision.find_too_new(engine) is None:
            return CheckResult("migrations", True, f"{detail} and works with it")
        return CheckResult("migrations", False, detail, "start the newer version, or restore a backup")
    detail = "the schema is not the one of this version"
    return CheckResult("migrations", False, detail, "migrate it with `localfn init`")


def _runtime(engine: Engine) -> Iterator[CheckResult]:
    clock = Clock()
    clock.synchronise(engine)
    yield machine.clocks(clock.now(), datetime.now(UTC))
    alive = worker_heartbeats.list_alive(engine, clock)
    served = {queue for worker in alive for queue in worker.queues}
    if alive:
        yield CheckResult("workers", True, f"{len(alive)} alive, serving {', '.join(sorted(served))}")
    else:
        yield CheckResult("workers", False, "no worker is alive", "start one with `localfn up` or `localfn worker`")
    found = registry.read_registry(engine)
    yield from _queues(found, served) if alive else ()
    yield from _functions(found)
    yield from _schedules(engine)


def _queues(found: registry.Registry, served: set[str]) -> Iterator[CheckResult]:
    """Yield one result per queue that functions use and no worker serves."""
    wanted = {function.queue for function in found.functions}
    for queue in sorted(wanted - served):
        names = ", ".join(function.name for function in found.functions if function.queue == queue)
        detail = f"no worker serves {queue!r}, the queue of {names}"
        yield CheckResult("queues", False, detail, "add it to LOCALFN_QUEUES of a worker")
    if wanted <= served:
        yield CheckResult("queues", True, "the queue of every function is served")


def _functions(found: registry.Registry) -> Iterator[CheckResult]:
    for failure in found.failures:
        detail = f"{failure.source_file} fails to import: {failure.error_type}: {failure.error_message}"
        yield CheckResult(
            "functions", False, detail, "correct the file, or install the missing package; localfn imports it again"
        )
    for file in found.skipped:
        yield CheckResult("functions", True, f"{file.source_file} is not discovered", file.reason)
    if not found.failures:
        yield CheckResult("functions", True, f"{len(found.functions)} found, all import")


def _schedules(engine: Engine) -> Iterator[CheckResult]:
    """Yield one result per schedule that cannot fire."""
    found = [entry.schedule for entry in list_schedules(engine)]
    wrong = [schedule for schedule in found if schedule.error]
    for schedule in wrong:
        hint = f"correct it: localfn schedules update {schedule.name} …"
        yield CheckResult("schedules", False, f"{schedule.name}: {schedule.error}", hint)
    if found and not wrong:
        yield CheckResult("schedules", True, f"{len(found)} there, all can fire")


def _first_line(error: Exception) -> str:
    return redact(str(error)).strip().partition("\n")[0] or type(error).__name__
