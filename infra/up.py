"""Run `localfn up`: start everything on this machine, in order, until the user stops it."""

import errno
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from infra.command_name import VARIABLE as CALLED_AS
from infra.command_name import command_name
from infra.config import capacity
from infra.config.home import Home, home_error
from infra.config.listen_address import bind, http_url, is_answering
from infra.config.setting_files import function_limits
from infra.config.settings import Settings
from infra.disk_reserve import DiskReserve
from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service, service_spec
from infra.preload.preloader import preloader
from infra.sandbox.function_sources import check_sources, have_code
from infra.sandbox.interpreter_check import check_interpreter
from infra.supervisor.child import HURRIED_STEP, ChildSpec, spawn
from infra.supervisor.log_file import LogFile
from infra.supervisor.orphan_guard import OrphanGuard
from infra.supervisor.output import print_message
from infra.supervisor.supervisor import StopRequested, Supervisor, do_nothing
from infra.supervisor.up_record import UpRecordFile

# Web and worker get seven seconds from SIGTERM to SIGKILL. A worker must give back its requests within that time;
# otherwise they wait for their leases to expire at the next start.
MAX_GRACE_S = 5
# The API key is for the command line alone; DATABASE_URL contains the password already.
NOT_INHERITED = frozenset({"LOCALFN_API_KEY", "POSTGRES_PASSWORD"})
HOME_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def up(settings: Settings, *, on_ready: Callable[[], None] = do_nothing, log: LogFile | None = None) -> None:
    """Start everything, announce it, and keep it running. Return after a stop. Raises InfraError.

    on_ready: called once requests can be served, must be quick. log: the file to which this process writes its output.
    """
    home = prepare(settings)
    try:
        with (
            home.locked() as lock,
            UpRecordFile(home.root, settings.host, settings.port, log) as record,
            _guarded(home, lock) as guard,
            bind(settings.host, settings.port) as listener,
            _supervisor(home, settings, guard, log) as supervisor,
            record.until_stop(),
        ):
            if log is not None:
                print_message(f"starting at {datetime.now(UTC).isoformat(timespec='seconds')}")
            _start_all(supervisor, home, settings, listener)
            record.set_ready()
            announce(settings)
            on_ready()
            supervisor.run()
    except StopRequested:
        return
    except OSError as error:
        if error.errno in HOME_ERRNOS:
            raise home_error(home.root, error) from error
        raise


def prepare(settings: Settings) -> Home:
    """Check all that can be checked before a start, and create the home. Raises InfraError."""
    check_sources(settings.functions)
    check_interpreter(settings.python)
    settings.network_access.check(settings.host)
    home = Home(settings.home)
    home.make()
    capacity.raise_file_limit(settings.concurrency)
    function_limits.read(Path.cwd())
    return home


def _guarded(home: Home, lock: int) -> OrphanGuard:
    """Return a guard for a home without processes of earlier runs."""
    recovered = home.records.recover()
    if recovered:
        print_message(f"processes of a killed run were ended: {', '.join(recovered)}")
    return OrphanGuard(home.root, lock)


def _supervisor(home: Home, settings: Settings, guard: OrphanGuard, log: LogFile | None) -> Supervisor:
    checks = [log.bound] if log is not None else []
    if settings.database_url is None:
        checks.append(DiskReserve(home.root).check)

    def check_disk() -> None:
        for check in checks:
            check()

    check_disk()  # before PostgreSQL starts, since it needs the space
    with_names = settings.log_format == "text"
    return Supervisor(home.records, with_names=with_names, guard=guard, on_iteration=check_disk)


def _start_all(supervisor: Supervisor, home: Home, settings: Settings, listener: socket.socket) -> None:
    with preloader() as preloaded:
        variables = _start_services(supervisor, home, settings)
        start = preloaded.spawn if preloaded is not None else spawn
        specs = _process_specs(settings, variables, listener)
        supervisor.start_stage([replace(spec, spawn=start) for spec in specs], settings.wait_s)


def _start_services(supervisor: Supervisor, home: Home, settings: Settings) -> dict[str, str]:
    """Start the embedded servers, and prepare them. Return the environment of all processes."""
    services: list[Service] = []
    if settings.database_url is None:
        services.append(Postgres(home.root, max_connections=capacity.embedded_connections(settings.workers)))
    if settings.redis_url is None:
        services.append(Redis(home.root))
    supervisor.start_stage([service_spec(service) for service in services], settings.wait_s)
    variables = _variables(settings, {service.name: service.url for service in services})
    supervisor.run_once(replace(_process_spec("init", variables), one_shot=True))
    return variables


def announce(settings: Settings) -> None:
    sys.stdout.write(f"localfn ready on {http_url(settings.host, settings.port)}\n")
    sys.stdout.flush()
    if not have_code(settings.functions):
        print_message("no functions yet; `localfn new` creates a first one, which is found without a restart")


def _process_specs(settings: Settings, variables: dict[str, str], listener: socket.socket) -> Sequence[ChildSpec]:
    # Only init creates the superuser.
    needed = {name: value for name, value in variables.items() if not name.startswith("SUPERUSER_")}
    grace = {"LOCALFN_GRACE_SECONDS": f"{min(settings.grace_s, MAX_GRACE_S):g}"}
    web = _process_spec("web", needed | {"LOCALFN_WEB_GRACE_SECONDS": f"{min(settings.web_grace_s, MAX_GRACE_S)}"})
    address = settings.host, settings.port
    return [
        # /readyz checks database and migrations, too: one check for the whole stage.
        replace(web, is_ready=partial(is_answering, *address), address=address, listener=listener),
        # Not by its heartbeats: a worker of a killed run may still be on record.
        replace(_process_spec("worker", needed | grace), reports_ready=True),
        _process_spec("scheduler", needed),
    ]


def _process_spec(name: str, variables: dict[str, str]) -> ChildSpec:
    # -P: a folder `handlers` or `schema` in the current directory must not shadow the runtime's packages.
    command = (sys.executable, "-P", "-m", "localfn_runtime", name)
    return ChildSpec(name=name, command=lambda: command, variables=variables, hurried_step=HURRIED_STEP)


def _variables(settings: Settings, embedded: dict[str, str]) -> dict[str, str]:
    """Return the environment for every child: this process's own, with the service URLs and the address filled in.

    Without the API key of the command line, which no process of the runtime needs.
    """
    database_url = settings.database_url or embedded["postgres"]
    redis_url = settings.redis_url or embedded["redis"]
    variables = os.environ | {
        "LOCALFN_HOME": str(settings.home),
        CALLED_AS: command_name(),
        "PORT": str(settings.port),
        "HOST": settings.host,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "RQ_REDIS_URL": redis_url,
    }
    return {name: value for name, value in variables.items() if name not in NOT_INHERITED}
