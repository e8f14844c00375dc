"""`localfn worker`: the worker pool of this machine."""

from collections.abc import Callable

from infra import file_store, logs, room, sandboxing
from infra.disk import disk_of
from infra.home import Home
from infra.processes.connections import urls
from infra.settings import Settings
from workqueue.workers.elastic import Bounds
from workqueue.workers.plan import PoolPlan
from workqueue.workers.pool import Pool


def run(settings: Settings, tell_ready: Callable[[], None] | None = None) -> None:
    """Work until SIGTERM, and then until every worker has ended. tell_ready: called when the first worker has begun."""
    logs.configure(settings.log_level, settings.log_format, "worker")
    Home(settings.home).make()
    room.make(settings.concurrency)
    database_url, redis_url = urls(settings)
    interpreter = sandboxing.interpreter(settings)
    disk = disk_of(settings)
    plan = PoolPlan(
        database_url=database_url,
        redis_url=redis_url,
        queues=settings.queues,
        bounds=Bounds(settings.min_workers, settings.concurrency),
        lease_s=settings.lease_s,
        grace_s=settings.grace_s,
        max_result_bytes=settings.max_result_bytes,
        work_folder=settings.home / "work",
        spool_folder=settings.home / "spool",
        store=file_store.make(settings.files, settings.home, disk),
        disk=disk,
        functions=settings.functions,
        traces=settings.traces,
        account=interpreter.account,
    )
    Pool(plan, interpreter, tell_ready).run()
