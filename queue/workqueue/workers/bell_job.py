"""RQ's job as we read it: whatever somebody wrote into Redis, it is JSON or nothing, and it makes nobody call anything.

RQ's own class calls, by names that stand in Redis, callbacks when it cleans up after a lost worker, and addresses when
a job ends; and unpickles whatever a reader without a serializer fetches.
"""

from typing import Any, ClassVar

from redis import Redis
from rq import Queue, Worker
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from workqueue.errors import WorkqueueError

MAX_DATA = 64 * 1024  # bytes; a bell's has a hundred
UNREADABLE = '["unreadable", null, [], {}]'


class BellJob(Job):
    """A job that is shown, moved and deleted, and never performed."""

    success_callback: ClassVar[None] = None
    failure_callback: ClassVar[None] = None
    stopped_callback: ClassVar[None] = None

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: ARG002
        super().__init__(id, connection, serializer=JSONSerializer)

    def restore(self, raw_data: Any) -> None:
        """Raises NoSuchJobError for what is no job."""
        try:
            super().restore(raw_data)
        except NoSuchJobError:
            raise
        except Exception as error:
            raise NoSuchJobError(f"{self.key} is no job: {type(error).__name__}") from error
        self.retries_left, self.webhooks, self.repeats_left = None, [], None
        try:
            _ = self.func_name
        except (DeserializationError, ValueError, TypeError):
            self.data = UNREADABLE.encode()

    def perform(self) -> None:
        raise WorkqueueError("No job is performed: workers of localfn take the id from it, and nothing else.")

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """There are none."""


class BellQueue(Queue):
    """A queue of such jobs."""

    job_class = BellJob


class BellWorker(Worker):
    """A worker as rq-dashboard looks at it: what it does is read as one of these, too."""

    job_class = BellJob
