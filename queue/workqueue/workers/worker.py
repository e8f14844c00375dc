"""An RQ worker that answers doorbells: it takes jobs from the queues, finds the request ids in them, and invokes them.

RQ's own loop makes some twenty round trips to Redis a job. This one makes two, for one job or for many: it takes a
few bells (bells.py), and shows all when they have ended (board.py).
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
from workqueue.transport import foreign_jobs, redis_keys
from workqueue.transport.circuit_breaker import describe_error, write_refusal
from workqueue.transport.doorbell import rq_queue
from workqueue.transport.job_fetcher import JobFetcher
from workqueue.transport.safe_job import SafeJob

log = logging.getLogger(__name__)

# RQ shows a worker as dead after worker_ttl + 60 s without a sign of life. Its default, 420, would keep a killed
# worker on the dashboard for eight minutes.
WORKER_TTL_S = 30
LISTEN_S = 10  # an idle worker gives a sign of life so often
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 5.0  # between tries while Redis is unavailable
SUSPENSION_S = 1.0  # how often it is asked whether an operator suspended the workers (`rq suspend`)
END_GRACE = signal.SIGUSR1  # from the pool, after a second SIGTERM to it
NO_ROOM_S = 1.0  # how often a full disk is asked whether it has room again


def answer(request_id: str) -> NoReturn:
    """What RQ's jobs name as their function, for people to read. Our workers take the id from the job's own."""
    raise WorkqueueError(f"Only a worker of localfn can run request {request_id}.")


class Worker(SimpleWorker):
    """An RQ worker with a loop of its own, which gives back what it cannot finish in time, and ends with its host."""

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
        self.bells = JobFetcher(redis, [each.key for each in self.queues])
        self.lease_renewer = LeaseRenewer(context, self.keep_alive)
        self._stopping = threading.Event()
        self._listens = self._is_suspended = self._is_hurried = self._waits_for_room = False
        self._sign_at = self._suspension_at = 0.0

    def _set_ip_address(self, connection: Redis) -> None:
        """Do as RQ does; it fails where the path of a Redis' unix socket has a space or a `=` in it."""
        try:
            super()._set_ip_address(connection)
        except ValueError:
            self.ip_address = "unknown"

    def run(self) -> None:
        """Until SIGTERM, until the sandbox host is gone, or until an error that nobody foresaw."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.request_stop)
        signal.signal(END_GRACE, self._hurry)
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        while not self._stopping.is_set() and not self.context.sandboxes.pool_is_lost:
            try:
                ids = self._next()
                if ids and not self._stopping.is_set():  # else their bells are lost, and the reconciler rings again
                    invoke(self.context, self.lease_renewer, ids)
                backoff.reset()
            except StopRequested:
                break
            except RedisError as error:
                log.warning(describe_error(error), extra={"error": str(error)})
                self._stopping.wait(backoff.next_s())
            except Exception:
                # What it has claimed it must not take up again as if it had not begun it: the process, whose name is
                # part of the token, ends; the leases lapse, and the pool starts another one.
                log.exception("the worker failed and ends; what it had claimed follows when its lease has lapsed")
                break
        self._leave()

    def _next(self) -> list[UUID]:
        """The requests to run now; none when nobody rang for a while."""
        moment = time.monotonic()
        if moment >= self._sign_at:
            self._give_sign()
            self._sign_at = moment + LISTEN_S
        if moment >= self._suspension_at:
            self._is_suspended = bool(is_suspended(self.connection, self))
            self._suspension_at = moment + SUSPENSION_S
        if self._has_no_room():
            return []
        if self._is_suspended:
            self.context.activity.set_idle()
            self._stopping.wait(SUSPENSION_S)
            return []
        taken = self._take_bells()
        if not taken and self.should_run_maintenance_tasks:
            self._maintain()
        if taken and self._has_no_room():  # it filled while this worker listened: the reconciler rings again
            return []
        return [id for job_id in taken if (id := self._request_id(job_id)) is not None]

    def _maintain(self) -> None:
        """Remove what RQ's books keep for too long. Raises RedisError."""
        try:
            self.run_maintenance_tasks()
        except RedisError as error:
            if not write_refusal(error):
                raise

    def _has_no_room(self) -> bool:
        """Return whether the disk is full, after a pause if so. A request that began now could store nothing."""
        is_full = self.context.disk.is_full()
        if is_full and not self._waits_for_room:
            self.context.release_idle()
            log.warning("the disk is full; nothing is begun", extra={"path": str(self.context.disk.folder)})
        self._waits_for_room = is_full
        if is_full:
            self.context.activity.set_idle()
            self._stopping.wait(NO_ROOM_S)
        return is_full

    def _take_bells(self) -> list[str]:
        """The job ids of several bells when many wait; of the next one when none does."""
        taken = self.bells.pop_batch(self.context.batch_sizer.prefetch_count()) or self._listen()
        self.context.activity.set_busy()
        return taken

    def _listen(self) -> list[str]:
        self.context.release_idle()
        self.context.activity.set_idle()
        self._listens = True
        try:
            # Either the signal came before, or its handler finds that we listen.
            return [] if self._stopping.is_set() else self.bells.pop_blocking(LISTEN_S)
        finally:
            self._listens = False

    def _request_id(self, job_id: str) -> UUID | None:
        """Return the request that a job rings for. Reject a job that is not a bell: show it as failed, unrun."""
        request_id = request_id_of(job_id)
        if request_id is None:
            foreign_jobs.reject(self.connection, job_id, self.name)
        return request_id

    def run_maintenance_tasks(self) -> None:
        """Remove what lapsed from the registries, by classes that no entry of another program ends."""
        for each in self.queues:
            if each.acquire_maintenance_lock():
                try:
                    redis_keys.clean_registries(each)
                finally:
                    each.release_maintenance_lock()  # type: ignore[no-untyped-call]
        self.last_cleaned_at: Any = now()

    def _give_sign(self) -> None:
        """Tell RQ that this worker is there, from the start if Redis was emptied.

        A Redis that refuses this still gives away bells: one that is full of them would otherwise stay so.
        """
        try:
            self._sign()
        except RedisError as error:
            if not write_refusal(error):
                raise
            log.warning(describe_error(error), extra={"error": str(error)})

    def _sign(self) -> None:
        if self.connection.type(self.key) == b"hash":
            self.heartbeat()
        else:
            self.connection.delete(self.key)
            self.register_birth()  # type: ignore[no-untyped-call]
            self.set_state(WorkerStatus.IDLE)

    def keep_alive(self) -> None:
        """The same while a request runs, from another thread.

        Through the doorbell's client, which does not wait long: the caller has a lease to keep.
        """
        try:
            with self.context.doorbell.redis.pipeline(transaction=False) as pipeline:
                self.heartbeat(WORKER_TTL_S + 60, pipeline)
                pipeline.execute()
        except RedisError as error:
            log.debug("no heartbeat", extra={"error": str(error)})

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - RQ's signature
        """Let what runs finish within the grace, then give it back. A second signal of the kind changes nothing.

        Should a bell have been taken this very moment, it is lost, and the reconciler rings again.
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
        """End the grace at once. In a thread: a signal may come while this one holds what is needed for it."""
        if not self._is_hurried:
            self._is_hurried = True
            threading.Thread(target=self._end_grace, daemon=True).start()

    def _end_grace(self) -> None:
        self.context.given_up.set()
        self.lease_renewer.interrupt(StoppingError())

    def _leave(self) -> None:
        self.context.working_directory.remove()  # a forked process ends without the finalizers that would do it
        self.context.spool.close()
        try:
            self.register_death()  # type: ignore[no-untyped-call]
        except RedisError as error:
            log.debug("RQ was not told of the end", extra={"error": str(error)})
