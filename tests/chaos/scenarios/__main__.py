"""Run a long scenario, `python -m tests.chaos.scenarios failover|rollout`; exit code 1 if a promise is broken."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from schema import migrate
from tests.chaos.scenarios import failover, rollout
from tests.support.embedded_servers import start, stop
from tests.support.runtime import make_folder

ROLLOUT_STEPS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description="Runs a scenario while clients submit and poll.")
    parser.add_argument("scenario", choices=("failover", "rollout"))
    parser.add_argument("--minutes", type=float, default=1.0, help="how long clients submit (default 1)")
    wanted = parser.parse_args()
    run = run_failovers if wanted.scenario == "failover" else run_rollout
    return 0 if run(wanted.minutes * 60) else 1


def run_failovers(seconds: float) -> bool:
    """Fail over to a synchronous and to an asynchronous standby. Only the first one must lose nothing."""
    is_kept = True
    for is_synchronous in (True, False):
        with make_folder() as folder:
            report = failover.run(folder, is_synchronous=is_synchronous, before_s=seconds / 4)
        print(f"{'synchronous' if is_synchronous else 'asynchronous'} standby", report.table(), sep="\n", flush=True)
        is_kept &= not report.verdict.wrong
        if is_synchronous:
            is_kept &= not (report.verdict.lost or report.again["once"] or report.record.unexpected)
    return is_kept


def run_rollout(seconds: float) -> bool:
    with make_folder() as folder, run_servers(folder / "servers") as (database_url, redis_url):
        migrate.upgrade(database_url)
        report = rollout.run(folder, database_url, redis_url, mixed_s=seconds / ROLLOUT_STEPS)
    print(report.table())
    return not (report.record.unexpected or report.failed or report.verdict.lost or report.verdict.wrong)


@contextlib.contextmanager
def run_servers(folder: Path) -> Iterator[tuple[str, str]]:
    folder.mkdir()
    postgres, redis = Postgres(folder), Redis(folder)
    with contextlib.ExitStack() as stack:
        for service in (postgres, redis):
            stack.callback(stop, service, start(service))
        yield postgres.url, redis.url


if __name__ == "__main__":
    sys.exit(main())
