"""`localfn up`: everything on this machine, in order, until somebody stops it."""

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from infra import room
from infra.child import ChildSpec
from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from infra.home import Home, unusable
from infra.interpreter import check_interpreter
from infra.listening import address, check_port, is_ready
from infra.output import say
from infra.settings import Settings
from infra.supervisor import StopRequested, Supervisor

# The worker has seven seconds from SIGTERM to SIGKILL. It must have given its requests back before that, or
# they would wait for their leases to expire at the next start.
LONGEST_GRACE_S = 5.0
HOME_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def up(settings: Settings) -> None:
    """Start everything, announce it, keep it running. Returns after a stop; raises InfraError."""
    home = Home(settings.home)
    home.make()
    check_interpreter(settings.python)
    settings.door.check(settings.host)
    room.make(settings.concurrency)
    with home.locked():
        recovered = home.records.recover()
        if recovered:
            say(f"ended what a killed run had left: {', '.join(recovered)}")
        check_port(settings.host, settings.port)
        try:
            _supervise(home, settings)
        except StopRequested:
            return
        except OSError as error:
            if error.errno in HOME_TROUBLE:
                raise unusable(home.root, error) from error
            raise


def _supervise(home: Home, settings: Settings) -> None:
    services: list[Service] = []
    if settings.database_url is None:
        services.append(Postgres(home.root, max_connections=room.embedded_connections(settings.concurrency)))
    if settings.redis_url is None:
        services.append(Redis(home.root))
    with Supervisor(home.records, with_names=settings.log_format == "text") as supervisor:
        supervisor.start_stage([_service_spec(service) for service in services], settings.wait_s)
        env = _environment(settings, {service.name: service.url for service in services})
        supervisor.run_once(replace(_own_spec("init", env), one_shot=True))
        supervisor.start_stage(_own_specs(settings, env), settings.wait_s)
        sys.stdout.write(f"localfn ready on {address(settings.host, settings.port)}\n")
        sys.stdout.flush()
        supervisor.run()


def _own_specs(settings: Settings, env: dict[str, str]) -> Sequence[ChildSpec]:
    grace = {"LOCALFN_GRACE_SECONDS": f"{min(settings.grace_s, LONGEST_GRACE_S):g}"}
    ready = partial(is_ready, settings.host, settings.port)
    return [
        # /readyz asks for the database, Redis and a worker too: one question for the whole stage.
        replace(_own_spec("web", env), is_ready=ready),
        _own_spec("worker", env | grace),
        _own_spec("scheduler", env),
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


def _own_spec(name: str, env: dict[str, str]) -> ChildSpec:
    # -P: a folder `handlers` or `schema` in the user's current directory must not stand in for ours.
    command = (sys.executable, "-P", "-m", "infra.cli", name)
    return ChildSpec(name=name, command=lambda: command, env=env)


def _environment(settings: Settings, embedded: dict[str, str]) -> dict[str, str]:
    """Ours, with the addresses filled in, so that every child reads the same settings in the same way."""
    database_url = settings.database_url or embedded["postgres"]
    redis_url = settings.redis_url or embedded["redis"]
    return os.environ | {
        "LOCALFN_HOME": str(settings.home),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "RQ_REDIS_URL": redis_url,
    }
