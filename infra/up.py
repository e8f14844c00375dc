"""`localfn up`: everything on this machine, in order, until somebody stops it."""

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from infra.command_name import VARIABLE as CALLED_AS
from infra.command_name import command_name
from infra.config import capacity
from infra.config.home import Home, home_error
from infra.config.listen_address import check_port, http_url, is_answering
from infra.config.settings import Settings
from infra.disk_reserve import DiskReserve
from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from infra.sandbox.interpreter_check import check_interpreter
from infra.supervisor.child import HURRIED, ChildSpec
from infra.supervisor.orphan_guard import Guard
from infra.supervisor.output import say
from infra.supervisor.supervisor import StopRequested, Supervisor, nothing_to_do

# The worker has seven seconds from SIGTERM to SIGKILL. It must have given its requests back before that, or
# they would wait for their leases to expire at the next start.
LONGEST_GRACE_S = 5.0
# The key is the command line's own; the parts are in DATABASE_URL.
NOT_PASSED_ON = frozenset({"LOCALFN_API_KEY", "POSTGRES_PASSWORD"})
HOME_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def up(settings: Settings) -> None:
    """Start everything, announce it, keep it running. Returns after a stop; raises InfraError."""
    home = prepare(settings)
    with home.locked() as lock:
        recovered = home.records.recover()
        if recovered:
            say(f"ended what a killed run had left: {', '.join(recovered)}")
        check_port(settings.host, settings.port)
        try:
            with Guard(home.root, lock) as guard:
                _supervise(home, settings, guard)
        except StopRequested:
            return
        except OSError as error:
            if error.errno in HOME_TROUBLE:
                raise home_error(home.root, error) from error
            raise


def prepare(settings: Settings) -> Home:
    """Make the home, and check all that can be checked before anything is started. Raises InfraError."""
    home = Home(settings.home)
    home.make()
    check_interpreter(settings.python)
    settings.network_access.check(settings.host)
    capacity.raise_file_limit(settings.concurrency)
    return home


def _supervise(home: Home, settings: Settings, guard: Guard) -> None:
    services: list[Service] = []
    each_turn = nothing_to_do
    if settings.database_url is None:
        each_turn = DiskReserve(home.root).check
        each_turn()  # before PostgreSQL starts: it needs room for that
        services.append(Postgres(home.root, max_connections=capacity.embedded_connections(settings.concurrency)))
    if settings.redis_url is None:
        services.append(Redis(home.root))
    with_names = settings.log_format == "text"
    with Supervisor(home.records, with_names=with_names, guard=guard, each_turn=each_turn) as supervisor:
        supervisor.start_stage([_service_spec(service) for service in services], settings.wait_s)
        variables = _variables(settings, {service.name: service.url for service in services})
        supervisor.run_once(replace(_own_spec("init", variables), one_shot=True))
        supervisor.start_stage(_own_specs(settings, variables), settings.wait_s)
        sys.stdout.write(f"localfn ready on {http_url(settings.host, settings.port)}\n")
        sys.stdout.flush()
        supervisor.run()


def _own_specs(settings: Settings, variables: dict[str, str]) -> Sequence[ChildSpec]:
    # Only init makes the superuser.
    needed = {name: value for name, value in variables.items() if not name.startswith("SUPERUSER_")}
    grace = {"LOCALFN_GRACE_SECONDS": f"{min(settings.grace_s, LONGEST_GRACE_S):g}"}
    ready = partial(is_answering, settings.host, settings.port)
    return [
        # /readyz asks for the database, Redis and the migrations, too: one question for the whole stage.
        replace(_own_spec("web", needed), is_ready=ready, address=(settings.host, settings.port)),
        # It asks for a worker as well, but one of a run that was killed may still be on record.
        replace(_own_spec("worker", needed | grace), tells_ready=True),
        _own_spec("scheduler", needed),
    ]


def _service_spec(service: Service) -> ChildSpec:
    return ChildSpec(
        name=service.name,
        command=service.command,
        prepare=service.prepare,
        is_ready=service.is_ready,
        stop_steps=service.stop_steps,
        noise=service.noise,
    )


def _own_spec(name: str, variables: dict[str, str]) -> ChildSpec:
    # -P: a folder `handlers` or `schema` in the user's current directory must not stand in for ours.
    command = (sys.executable, "-P", "-m", "infra.cli", name)
    return ChildSpec(name=name, command=lambda: command, variables=variables, hurried_step=HURRIED)


def _variables(settings: Settings, embedded: dict[str, str]) -> dict[str, str]:
    """Return this process's own, with the addresses filled in: every child reads the same settings in the same way.

    The command line's own key is for no process of the runtime.
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
    return {name: value for name, value in variables.items() if name not in NOT_PASSED_ON}
