"""An RQ worker that answers doorbells: it takes jobs from the queues and invokes the requests that they ring for.

RQ's own loop makes some twenty round trips to Redis a job. This one makes two for a batch of jobs: it fetches several
bells (transport/job_fetcher.py), and reports all when they have ended (transport/rq_status.py).
"""

import logging
import signal
import threading
import time
from types import FrameType
from typing import Any, NoReturn
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.utils import now
from rq.worker import WorkerStatus

from workqueue.backoff import Backoff
from workqueue.errors import WorkqueueError
from workqueue.ids import request_id_of
from workqueue.invocation.context import ExecutionContext
from workqueue.invocation.lease_renewer import LeaseRenewer
from workqueue.invoke import invoke
from workqueue.outcomes import StoppingError
from workqueue.transport import foreign_jobs, redis_key_repair
from workqueue.transport.circuit_breaker import describe_error, write_refusal
from workqueue.transport.doorbell import rq_queue
from workqueue.transport.job_fetcher import JobFetcher
from workqueue.transport.safe_job import SafeJob

log = logging.getLogger(__name__)

# RQ shows a worker as dead after worker_ttl + 60 s without a heartbeat. The default of 420 s would show a killed worker
# for eight minutes.
WORKER_TTL_S = 30
LISTEN_S = 10  # interval of the heartbeats of an idle worker
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 5.0  # between tries while Redis is unavailable
SUSPENSION_S = 1.0  # interval of the checks for `rq suspend`
END_GRACE = signal.SIGUSR1  # sent by the pool after its second SIGTERM
DISK_FULL_S = 1.0  # interval of the checks of a full disk


def answer(request_id: str) -> NoReturn:
    """Raise WorkqueueError. RQ's jobs name this function, but workers read the request id from the job's id."""
    raise WorkqueueError(f"RQ cannot run request {request_id}: start a worker of localfn instead.")


class Worker(SimpleWorker):
    """An RQ worker with its own loop. It gives back unfinished requests when it stops, and ends with its pool."""

    def __init__(self, context: ExecutionContext, redis: Redis, grace_s: float) -> None:
        """grace_s: seconds that a running request has after SIGTERM."""
        super().__init__(
            [rq_queue(name, redis) for name in context.queues],
            name=context.worker,
            connection=redis,
            job_class=SafeJob,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_S,
        )
        self.context, self.grace_s = context, grace_s
        self.fetcher = JobFetcher(redis, [each.key for each in self.queues])
        self.lease_renewer = LeaseRenewer(context, self.keep_alive)
        self._stopping = threading.Event()
        self._listens = self._is_suspended = self._is_hurried = self._waits_for_disk = False
        self._heartbeat_at = self._suspension_at = 0.0

    def _set_ip_address(self, connection: Redis) -> None:
        """Set the address as RQ does. RQ fails if the path of the Unix socket contains a space or `=`."""
        try:
            super()._set_ip_address(connection)
        except ValueError:
            self.ip_address = "unknown"

    def run(self) -> None:
        """Run until SIGTERM, until the sandbox pool is gone, or until an unexpected error."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.request_stop)
        signal.signal(END_GRACE, self._hurry)
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        while not self._stopping.is_set() and not self.context.sandboxes.pool_is_lost:
            try:
                ids = self._fetch()
                if ids and not self._stopping.is_set():  # else the bells are lost, and the reconciler rings again
                    invoke(self.context, self.lease_renewer, ids)
                backoff.reset()
            except StopRequested:
                break
            except RedisError as error:
                log.warning("queues not read", extra={"reason": describe_error(error), "error": str(error)})
                self._stopping.wait(backoff.next_s())
            except Exception:
                # Exit: the worker's name is part of the fencing token, so a new process cannot resume these claims by
                # mistake. Their leases expire, and the pool starts another worker.
                log.exception("worker failed; its leases expire")
                break
        self._shut_down()

    def _fetch(self) -> list[UUID]:
        """Return the requests to run now; none when no bell was rung for LISTEN_S."""
        now_s = time.monotonic()
        if now_s >= self._heartbeat_at:
            self._send_heartbeat()
            self._heartbeat_at = now_s + LISTEN_S
        if now_s >= self._suspension_at:
            self._is_suspended = bool(is_suspended(self.connection, self))
            self._suspension_at = now_s + SUSPENSION_S
        if self._wait_for_disk():
            return []
        if self._is_suspended:
            self.context.activity.set_idle()
            self._stopping.wait(SUSPENSION_S)
            return []
        taken = self._take_bells()
        if not taken and self.should_run_maintenance_tasks:
            self._clean_registries()
        if taken and self._wait_for_disk():  # the disk filled up while this worker listened: the reconciler rings again
            return []
        return [id for job_id in taken if (id := self._request_id(job_id)) is not None]

    def _clean_registries(self) -> None:
        """Clean RQ's registries, unless Redis rejects writes. Raises RedisError."""
        try:
            self.run_maintenance_tasks()
        except RedisError as error:
            if not write_refusal(error):
                raise

    def _wait_for_disk(self) -> bool:
        """Return True if the disk is full, after a pause: a request could not store its result."""
        is_full = self.context.disk.is_full()
        if is_full and not self._waits_for_disk:
            self.context.release_idle()
            log.warning("disk full; no request started", extra={"path": str(self.context.disk.folder)})
        self._waits_for_disk = is_full
        if is_full:
            self.context.activity.set_idle()
            self._stopping.wait(DISK_FULL_S)
        return is_full

    def _take_bells(self) -> list[str]:
        """Return the job ids of several bells if many wait; else wait for the next one."""
        taken = self.fetcher.pop_batch(self.context.batch_sizer.prefetch_count()) or self._listen()
        self.context.activity.set_busy()
        return taken

    def _listen(self) -> list[str]:
        self.context.release_idle()
        self.context.activity.set_idle()
        self._listens = True
        try:
            # Either the signal came before, or its handler finds `_listens` set and interrupts the wait.
            return [] if self._stopping.is_set() else self.fetcher.pop_blocking(LISTEN_S)
        finally:
            self._listens = False

    def _request_id(self, job_id: str) -> UUID | None:
        """Return the request that a job rings for. Reject a job that is not a bell: show it as failed, unrun."""
        request_id = request_id_of(job_id)
        if request_id is None:
            foreign_jobs.reject(self.connection, job_id, self.name)
        return request_id

    def run_maintenance_tasks(self) -> None:
        """Remove expired entries from the registries, with classes that skip entries of other programs."""
        for each in self.queues:
            if each.acquire_maintenance_lock():
                try:
                    redis_key_repair.clean_registries(each)
                finally:
                    each.release_maintenance_lock()  # type: ignore[no-untyped-call]
        self.last_cleaned_at: Any = now()

    def _send_heartbeat(self) -> None:
        """Send a heartbeat to RQ; register again if Redis was emptied.

        A Redis that rejects writes still returns bells. Taking them is the only way to free a full one.
        """
        try:
            self._register_or_beat()
        except RedisError as error:
            if not write_refusal(error):
                raise
            log.warning("heartbeat rejected", extra={"reason": describe_error(error), "error": str(error)})

    def _register_or_beat(self) -> None:
        if self.connection.type(self.key) == b"hash":
            self.heartbeat()
        else:
            self.connection.delete(self.key)
            self.register_birth()  # type: ignore[no-untyped-call]
            self.set_state(WorkerStatus.IDLE)

    def keep_alive(self) -> None:
        """Send a heartbeat while a request runs, from the lease renewer's thread.

        This uses the doorbell's client with its short timeout, so that the leases are renewed in time.
        """
        try:
            with self.context.doorbell.redis.pipeline(transaction=False) as pipeline:
                self.heartbeat(WORKER_TTL_S + 60, pipeline)
                pipeline.execute()
        except RedisError as error:
            log.debug("heartbeat not sent", extra={"error": str(error)})

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - RQ's signature
        """Let running requests finish within the grace period, then give them back. A second signal changes nothing.

        A bell that is taken at this moment is lost, and the reconciler rings again.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        log.info("stopping", extra={"worker": self.name})
        timer = threading.Timer(self.grace_s, self._end_grace)
        timer.daemon = True
        timer.start()
        if self._listens:
            raise StopRequested

    def _hurry(self, _signum: int, _frame: FrameType | None) -> None:
        """End the grace period at once, in a thread: the interrupted thread may hold a lock that this needs."""
        if not self._is_hurried:
            self._is_hurried = True
            threading.Thread(target=self._end_grace, daemon=True).start()

    def _end_grace(self) -> None:
        self.context.given_up.set()
        self.lease_renewer.interrupt(StoppingError())

    def _shut_down(self) -> None:
        self.context.working_directory.remove()  # a forked process ends without finalizers
        self.context.spool.close()
        try:
            self.register_death()  # type: ignore[no-untyped-call]
        except RedisError as error:
            log.debug("worker not deregistered", extra={"error": str(error)})
