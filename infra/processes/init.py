"""`localfn init`: everything that has to be so before the others start.

Any number of times, also at once, killed at any point: each step is a transaction under a lock, or a rename, and the
next start does what is left.
"""

import logging
from dataclasses import replace

from sqlalchemy import Engine

from infra import logging_config
from infra.audit_actor import audit_entry
from infra.config import file_storage, localfn_toml
from infra.config.home import Home
from infra.config.settings import Settings
from infra.errors import InfraError
from infra.processes import fixture_kinds
from infra.processes.connections import urls
from infra.processes.wait_for_services import wait_for_services
from infra.sandbox import setup
from infra.spa_assets import publish
from schema import migrate
from schema.engine import make_engine
from workqueue.audit import Action
from workqueue.auth import users
from workqueue.errors import BadAccessError, BadScheduleError, BucketMissingError, DuplicateFunctionError
from workqueue.files.store import StorageError
from workqueue.functions import discovery, registry
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.schedules import declarations, edits

log = logging.getLogger(__name__)

SANDBOX_EXITED = "SandboxExited"


def run(settings: Settings, *, only_servers: bool = False) -> None:
    """only_servers: waits for them and makes the screen ready, and no more: what every container needs.

    Raises InfraError.
    """
    logging_config.configure(settings.log_level, settings.log_format, "init")
    Home(settings.home).make()
    setup.check_functions(settings)
    roots = publish.BaseUrls(settings.static_root, settings.api_root)
    publish.publish_assets(settings.home, roots, compress=settings.is_production)
    wait_for_services(settings)
    if not only_servers:
        _fill(settings, setup.interpreter(settings))


def _fill(settings: Settings, interpreter: Interpreter) -> None:
    database_url, _ = urls(settings)
    _prepare_files(settings)
    _migrate(database_url, settings)
    engine = make_engine(database_url, pool_size=1, max_statement_s=float("inf"))
    try:
        _discover(engine, settings, interpreter)
        _declare(engine, settings)
        log.info(fixture_kinds.load(engine, settings, with_dev=not settings.is_production, once=True))
        _ensure_superuser(engine, settings)
    except (DuplicateFunctionError, BadScheduleError, BadAccessError) as error:
        raise InfraError(str(error)) from None
    finally:
        engine.dispose()


def _prepare_files(settings: Settings) -> None:
    """A bucket is made on a developer's machine only: in production somebody chooses its region and its rights."""
    try:
        file_storage.make_store(settings.files, settings.home).prepare(create=not settings.is_production)
    except (BucketMissingError, StorageError) as error:
        raise InfraError(f"LOCALFN_FILES {settings.files} cannot be used: {error}") from None


def _migrate(database_url: str, settings: Settings) -> None:
    """Production takes the migrations as they are; on a developer's machine one is written for changed tables."""
    try:
        if settings.is_production:
            migrate.upgrade_strictly(database_url)
        elif (written := migrate.upgrade_and_generate(database_url)) is not None:
            log.warning("the tables in the code have changed; a migration was written", extra={"file": str(written)})
    except migrate.SchemaDiffersError as error:
        raise InfraError(
            f"the tables in the code are not those that the migrations make: {error}. "
            "`localfn db revision` writes what can be written of a migration; the rest is yours to write."
        ) from None


def _discover(engine: Engine, settings: Settings, interpreter: Interpreter) -> None:
    before = registry.read_registry(engine)
    unreported = replace(before, skipped=())  # each start reports all skipped files
    watcher = CodeWatcher(interpreter, settings.functions, unreported, declarations.declared_schedule_problem)
    try:
        watcher.refresh()
    except OSError as error:
        if error.filename != interpreter.python:
            raise
        who = interpreter.account or "this account"
        raise InfraError(f"LOCALFN_PYTHON: {who} cannot run {interpreter.python}: {error.strerror}.") from None
    if any(failure.error_type == SANDBOX_EXITED for failure in watcher.registry.failures):
        _check(interpreter)
    discovery.check_start(watcher.registry)
    if watcher.registry != before:
        registry.publish(engine, watcher.registry)
    if not watcher.registry.functions:
        log.warning("no functions were found", extra={"folders": ":".join(settings.functions)})


def _check(interpreter: Interpreter) -> None:
    """Raise InfraError when no module can be imported, whatever is in it."""
    if trouble := interpreter.find_problem():
        raise InfraError(f"LOCALFN_PYTHON: {interpreter.python} cannot run functions: {trouble}")


def _declare(engine: Engine, settings: Settings) -> None:
    """Schedules of code and of localfn.toml; of one name, the file's counts: it is closer to who runs it."""
    found = {**declarations.read_declared_in_code(engine), **localfn_toml.schedules()}
    declarations.replace_declared(engine, found, edits.load_rules(engine, settings.queues, settings.max_event_bytes))


def _ensure_superuser(engine: Engine, settings: Settings) -> None:
    name, password = settings.superuser_username, settings.superuser_password
    if name is None or password is None:
        return
    made_by = audit_entry("init", Action.USER_CHANGE, name)
    made = users.ensure_superuser(engine, name, password, settings.superuser_email, made_by)
    log.info("superuser made" if made else "superuser is as the environment says", extra={"username": name})
