"""Run `localfn worker`: the worker pool of this machine."""

import logging
from collections.abc import Callable
from pathlib import Path

from infra import logging_config
from infra.config import capacity
from infra.config.home import Home
from infra.config.setting_files import function_limits
from infra.config.settings import Settings
from infra.database.checks import check_database_if_available
from infra.disk_reserve import disk_of
from infra.processes.connections import required_urls
from infra.sandbox import interpreter_setup
from workqueue.workers.pool import Pool
from workqueue.workers.pool_config import PoolConfig

log = logging.getLogger(__name__)


def run(settings: Settings, tell_ready: Callable[[], None] | None = None) -> None:
    """Work until SIGTERM and until every worker has ended. tell_ready: called when the first worker has started."""
    logging_config.configure(settings.log_level, settings.log_format, "worker")
    if settings.min_workers:
        log.warning("LOCALFN_MIN_WORKERS is ignored; LOCALFN_WORKERS sets the number of worker processes")
    Home(settings.home).make()
    capacity.raise_file_limit(settings.concurrency)
    database_url, redis_url = required_urls(settings)
    check_database_if_available(database_url, capacity.pool_processes(settings.workers), settings.workers)
    interpreter = interpreter_setup.prepare_interpreter(settings)
    disk = disk_of(settings)
    config = PoolConfig(
        database_url=database_url,
        redis_url=redis_url,
        queues=settings.queues,
        workers=settings.workers,
        concurrency=settings.concurrency,
        cores=capacity.cores(),
        lease_s=settings.lease_s,
        grace_s=settings.grace_s,
        max_result_bytes=settings.max_result_bytes,
        work_folder=settings.home / "work",
        spool_folder=settings.home / "spool",
        run_folder=settings.home / "run",
        store=settings.make_store(disk),
        disk=disk,
        functions=settings.functions,
        limits=function_limits.read(Path.cwd()),
        traces=settings.traces,
        account=interpreter.account,
    )
    Pool(config, interpreter, tell_ready).run()
