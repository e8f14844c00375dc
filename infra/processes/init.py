"""`localfn init`: waits for the servers, migrates, discovers the functions, and declares their schedules."""

from sqlalchemy import Engine

from infra import declared, logs, sandboxing, screen
from infra.errors import InfraError
from infra.home import Home
from infra.patience import wait_for_servers
from infra.processes.connections import urls
from infra.settings import Settings
from schema import migrate
from schema.session import make_engine
from workqueue import discovery, registry
from workqueue.errors import BadScheduleError, DuplicateFunctionError
from workqueue.schedules import declaring, editing


def run(settings: Settings) -> None:
    """Any number of times, also at once.

    Raises InfraError when two functions have one name, or a declared schedule cannot be.
    """
    logs.configure(settings.log_level, settings.log_format, "init")
    Home(settings.home).make()
    interpreter = sandboxing.interpreter(settings)
    roots = screen.Roots(settings.static_root, settings.api_root)
    screen.prepare(settings.home, roots, compress=settings.is_production)
    wait_for_servers(settings)
    database_url, _ = urls(settings)
    migrate.upgrade(database_url)
    engine = make_engine(database_url, pool_size=1)
    try:
        watcher = discovery.Watcher(interpreter, settings.functions, registry.read(engine))
        changed = watcher.look()
        discovery.check_unique(watcher.registry)
        if changed:
            registry.publish(engine, watcher.registry)
        _declare(engine, settings)
    except (DuplicateFunctionError, BadScheduleError) as error:
        raise InfraError(str(error)) from None
    finally:
        engine.dispose()


def _declare(engine: Engine, settings: Settings) -> None:
    """Schedules of code and of localfn.toml; of one name, the file's counts: it is closer to who runs it."""
    found = {**declaring.in_code(engine), **declared.schedules()}
    declaring.declare_all(engine, found, editing.rules(engine, settings.queues, settings.max_event_bytes))
