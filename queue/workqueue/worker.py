"""An RQ worker that answers doorbells: it takes a job, finds the request id in it, and invokes the request."""

import logging
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DeserializationError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.timeouts import TimerDeathPenalty

from schema.statuses import Status
from workqueue.attempt import Runtime
from workqueue.doorbell import ENTRY, Doorbell
from workqueue.errors import WorkqueueError
from workqueue.interruptions import StoppingError
from workqueue.invoke import invoke
from workqueue.keeper import Keeper

log = logging.getLogger(__name__)

# RQ shows a worker as dead after worker_ttl + 60 s without a sign of life, and an idle one gives a sign every
# worker_ttl - 15 s. Its default, 420, would keep a killed worker on the dashboard for eight minutes.
WORKER_TTL_S = 30
STARTED_TTL_S = 2 * 3600


class RequestFailedError(WorkqueueError):
    """Tells RQ that the request failed, so that rq-dashboard shows it too; all else is stored by then."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What the worker of this process works with, for the job function to find."""

    runtime: Runtime
    keeper: Keeper


_bench: ContextVar[Bench] = ContextVar("bench")


def answer(request_id: str) -> dict[str, Any]:
    """The one function that RQ jobs call. Raises RequestFailedError when the request ends failed."""
    bench = _bench.get()
    ended = invoke(bench.runtime, bench.keeper, UUID(request_id))
    if ended is None:
        return {"claimed": False}
    if ended.status == Status.FAILED:
        raise RequestFailedError(ended.error)
    return {"claimed": True, "outcome": str(ended.outcome)}


class Worker(SimpleWorker):
    """A SimpleWorker that runs only `answer`, gives back what it cannot finish in time, and ends with its host."""

    # A job limit of our own would be an exception that user code could swallow: bells ring with timeout -1,
    # and this class does nothing then. RQ's default would replace the process's SIGALRM handler.
    death_penalty_class = TimerDeathPenalty
    keeper: Keeper
    doorbell: Doorbell
    given_up: threading.Event
    grace_s: float

    def equip(self, runtime: Runtime, grace_s: float) -> None:
        """Gives it what it works with. grace_s: seconds that a running request has after SIGTERM."""
        self.grace_s, self.doorbell, self.given_up = grace_s, runtime.doorbell, runtime.given_up
        self.keeper = Keeper(runtime, self.keep_alive)
        _bench.set(Bench(runtime, self.keeper))

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        if (name := _function_of(job)) != ENTRY:
            log.error("a job that is not ours was refused", extra={"job_id": job.id, "func_name": name})
            self.handle_job_failure(job, queue, exc_string=f"{name} is not run here.", execution=execution)
            return False
        done = super().perform_job(job, queue, execution)
        if self.keeper.host_is_lost:
            raise StopRequested  # the pool is gone; another one has other workers
        return bool(done)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """For how long RQ takes a job for running: longer than any function may run."""
        return STARTED_TTL_S

    def keep_alive(self) -> None:
        """RQ's heartbeat while a job runs; a SimpleWorker sends none by itself.

        Through the doorbell's client, which does not wait long: the caller has a lease to keep.
        """
        try:
            with self.doorbell.redis.pipeline(transaction=False) as pipeline:
                self.heartbeat(WORKER_TTL_S + 60, pipeline)
                pipeline.execute()
        except RedisError as error:
            log.debug("no heartbeat", extra={"error": str(error)})

    def handle_warm_shutdown_request(self) -> None:
        """After SIGTERM: what runs may finish within the grace, then it is given back."""
        log.info("stopping", extra={"worker": self.name})
        timer = threading.Timer(self.grace_s, self._end_grace)
        timer.daemon = True
        timer.start()

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """A second signal changes nothing: the grace ends by itself, and the pool's is not cut short by Ctrl-C.

        RQ would exit on the spot and leave the request to its lease.
        """

    def _end_grace(self) -> None:
        self.given_up.set()
        self.keeper.interrupt(StoppingError())

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """Of a failed request the dashboard shows what its function raised, not the frames through which we told RQ."""
        shown = exc_string.rpartition(f"{RequestFailedError.__name__}: ")[2]
        super().handle_job_failure(job, queue, started_job_registry, shown, execution)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """A failed request is no error of the worker: RQ would log a traceback of ours for each."""
        if not isinstance(exc_info[1], RequestFailedError):
            super().handle_exception(job, *exc_info)


def _function_of(job: Job) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:
        return "something that is not JSON"
