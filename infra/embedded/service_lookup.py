"""The embedded services that another process runs: how `localfn worker` in a second shell finds them."""

from dataclasses import dataclass
from pathlib import Path

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.supervisor.pid_records import Records


@dataclass(frozen=True)
class RunningServices:
    """The URLs of those services that run; None for one that does not."""

    database_url: str | None
    redis_url: str | None


def find_running_services(home: Path) -> RunningServices:
    records = Records(home / "run")
    postgres, redis = Postgres(home), Redis(home)
    return RunningServices(
        database_url=postgres.url if records.is_running(postgres.name) else None,
        redis_url=redis.url if records.is_running(redis.name) else None,
    )
