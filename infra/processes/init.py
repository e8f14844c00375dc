"""Run `localfn init`: prepare everything that the other processes need.

It can run repeatedly, concurrently, and be killed at any point: each step is a transaction under a lock, or a rename,
and the next start continues.
"""

import logging
import os
import signal
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from infra import logging_config, spa_assets
from infra.audit_actor import audit_entry
from infra.config.home import Home
from infra.config.setting_files import function_limits, localfn_toml
from infra.config.setting_files.toml_document import TomlDocument
from infra.config.settings import Settings
from infra.database.checks import check_pooler
from infra.disk_reserve import has_database
from infra.errors import InfraError, InterpreterError, SettingsError
from infra.processes import fixture_kinds
from infra.processes.connections import check_schema_of, required_urls
from infra.processes.wait_for_services import wait_for_services
from infra.sandbox import interpreter_setup
from infra.sandbox.function_sources import check_sources
from schema import migrate, revision
from schema.engine import make_engine
from workqueue.audit import Action
from workqueue.auth import users
from workqueue.errors import BadAccessError, BadScheduleError, BucketMissingError, DuplicateFunctionError
from workqueue.files.store import StorageError
from workqueue.functions import discovery, pools, registry
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules import declarations, edits

log = logging.getLogger(__name__)

SANDBOX_EXITED = "SandboxExited"


def run(settings: Settings, *, only_servers: bool = False) -> None:
    """Prepare a start. Raises InfraError.

    only_servers: only wait for PostgreSQL and Redis and publish the SPA, as every container needs.
    """
    logging_config.configure(settings.log_level, settings.log_format, "init")
    Home(settings.home).make()
    check_sources(settings.functions)
    roots = spa_assets.BaseUrls(settings.static_root, settings.api_root)
    spa_assets.publish_assets(settings.home, roots, compress=settings.is_production)
    wait_for_services(settings)
    if not only_servers:
        _initialise(settings, interpreter_setup.prepare_interpreter(settings))


def run_in_child(settings: Settings) -> None:
    """Prepare a start in a forked process, whose memory is free afterwards. Exit as that process does if it fails.

    So a container starts Python once: the fork shares what the service has imported.
    """
    if (pid := os.fork()) == 0:
        run(settings)
        sys.exit(0)  # an error ends this process as it ends `localfn init`
    # The first process of a container ignores signals that it does not handle.
    before = {
        number: signal.signal(number, lambda number, _: os.kill(pid, number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    _, status = os.waitpid(pid, 0)
    for number, handler in before.items():
        signal.signal(number, handler)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(code if code > 0 else 128 - code)


def _initialise(settings: Settings, interpreter: Interpreter) -> None:
    database_url, _ = required_urls(settings)
    _prepare_files(settings)
    engine = make_engine(database_url, pool_size=1, max_statement_s=float("inf"))
    try:
        check_pooler(database_url)
        is_new = not revision.is_applied(engine)
        check_schema_of(engine)
        _migrate(database_url, settings)
        _discover_functions(engine, settings, interpreter)
        _declare_schedules(engine, settings)
        log.info(fixture_kinds.load(engine, settings, with_dev=not settings.is_production, once=True))
        _ensure_superuser(engine, settings)
        if is_new and has_database(settings):
            migrate.vacuum(database_url)
    except (DuplicateFunctionError, BadScheduleError, BadAccessError) as error:
        raise InfraError(str(error)) from None
    finally:
        engine.dispose()


def _prepare_files(settings: Settings) -> None:
    """Prepare the file store. Local mode creates a missing bucket; in production its region and rights are a choice."""
    try:
        settings.make_store().prepare(create=not settings.is_production)
    except (BucketMissingError, StorageError) as error:
        raise InfraError(f"LOCALFN_FILES {settings.files} cannot be used: {error}") from None


def _migrate(database_url: str, settings: Settings) -> None:
    """Migrate the database. Local mode also writes a migration for changed tables; production never does."""
    try:
        if settings.is_production:
            migrate.upgrade_strictly(database_url)
        elif (written := migrate.upgrade_and_generate(database_url)) is not None:
            log.warning("migration written for changed tables", extra={"file": str(written)})
    except migrate.SchemaDiffersError as error:
        raise InfraError(
            f"the tables in the code differ from those of the migrations: {error}. "
            "Write a migration: `localfn db revision` starts one, review it and complete it."
        ) from None


def _discover_functions(engine: Engine, settings: Settings, interpreter: Interpreter) -> None:
    pool, limits = registry.pool_name(settings.functions), function_limits.read(Path.cwd())
    published = registry.read_pool_registry(engine, pool)
    before = published or registry.read_registry(engine)
    unreported = replace(before, skipped=())  # each start reports all skipped files
    watcher = CodeWatcher(interpreter, settings.functions, unreported, declarations.declared_schedule_problem, limits)
    try:
        watcher.refresh()
    except OSError as error:
        if error.filename != interpreter.python:
            raise
        user = interpreter.account or "this account"
        raise InterpreterError(f"LOCALFN_PYTHON: {user} cannot run {interpreter.python}: {error.strerror}.") from None
    if any(failure.error_type == SANDBOX_EXITED for failure in watcher.registry.failures):
        _check_interpreter(interpreter)
    discovery.check_start(watcher.registry)
    if not watcher.registry.failures:  # else the function may be in a module that fails to import
        function_limits.check_functions(Path.cwd(), limits, {each.name for each in watcher.registry.functions})
    if watcher.registry != published:
        pools.publish(engine, pool, watcher.registry)
    if not watcher.registry.functions:
        log.warning("no functions found", extra={"folders": ":".join(settings.functions)})


def _check_interpreter(interpreter: Interpreter) -> None:
    """Raise InterpreterError if the interpreter cannot import any module."""
    if trouble := interpreter.find_problem():
        raise InterpreterError(f"LOCALFN_PYTHON: {interpreter.python} cannot run functions: {trouble}")


def _declare_schedules(engine: Engine, settings: Settings) -> None:
    """Declare the schedules of code and of localfn.toml; the file wins, since it is closer to the operator."""
    document = localfn_toml.read(Path.cwd())
    in_file = localfn_toml.named_tables(document, localfn_toml.SCHEDULES)
    found = {**declarations.read_declared_in_code(engine), **in_file}
    rules = edits.load_rules(engine, settings.queues, settings.max_event_bytes)
    try:
        declarations.replace_declared(engine, found, rules)
    except BadScheduleError as error:
        raise SettingsError("; ".join(_located(document, in_file, **each) for each in error.errors)) from None


def _located(document: TomlDocument | None, in_file: Collection[str], field: str, detail: str) -> str:
    """Return the error of a field, with file and line if localfn.toml declares its schedule. field: NAME.FIELD."""
    name, _, key = field.rpartition(".")
    place = f"{document.place(localfn_toml.SCHEDULES, name, key)}: " if document and name in in_file else ""
    return f"{place}{field}: {detail}"


def _ensure_superuser(engine: Engine, settings: Settings) -> None:
    name, password = settings.superuser_username, settings.superuser_password
    if name is None or password is None:
        return
    try:
        users.check_password(password)
    except BadAccessError as error:
        raise SettingsError(f"SUPERUSER_PASSWORD is too weak; {error.errors[0]['detail']}.") from None
    made_by = audit_entry("init", Action.USER_CHANGE, name)
    made = users.ensure_superuser(engine, name, password, settings.superuser_email, made_by)
    log.info("superuser created" if made else "superuser updated", extra={"username": name})
