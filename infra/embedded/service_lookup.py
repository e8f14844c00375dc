"""Find the embedded services of a running `up`, for a process that was started alone."""

from dataclasses import dataclass
from pathlib import Path

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.supervisor.pid_records import PidRecords


@dataclass(frozen=True)
class RunningServices:
    """Hold the URLs of the running services; None for a service that does not run."""

    database_url: str | None
    redis_url: str | None


def find_running_services(home: Path) -> RunningServices:
    records = PidRecords(home / "run")
    postgres, redis = Postgres(home), Redis(home)
    return RunningServices(
        database_url=postgres.url if records.is_running(postgres.name) else None,
        redis_url=redis.url if records.is_running(redis.name) else None,
    )
