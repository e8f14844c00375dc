"""RQ's job as every process of the runtime reads it.

RQ's own classes unpickle fields, import callbacks by name, call webhooks, and raise for a name that is not UTF-8. A
bell has none of these, so only the fields of a bell are read. Importing this module also disables RQ's default
serializer, pickle, in the process.
"""

import contextlib
import re
import zlib
from base64 import b64decode
from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError
from rq import Queue, registry
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.results import Result
from rq.serializers import DefaultSerializer, JSONSerializer

from workqueue.errors import WorkqueueError

MAX_DATA = 64 * 1024  # bytes of one field; that of a bell has 100
MAX_ERROR = 8 * 1024 * 1024  # bytes of a traceback
UNREADABLE = '["unreadable", null, [], {}]'
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
KINDS: dict[str, type[registry.BaseRegistry]] = {
    kind.__name__: kind
    for kind in (
        registry.CanceledJobRegistry,
        registry.DeferredJobRegistry,
        registry.FailedJobRegistry,
        registry.FinishedJobRegistry,
        registry.ScheduledJobRegistry,
        registry.StartedJobRegistry,
    )
}
FIELDS = frozenset(
    {
        "created_at",
        "data",
        "description",
        "ended_at",
        "enqueued_at",
        "failure_ttl",
        "origin",
        "result_ttl",
        "started_at",
        "status",
        "timeout",
        "ttl",
        "worker_name",
    }
)


def refuse_pickle(*_: Any, **__: Any) -> NoReturn:
    """Raise DeserializationError, in place of `pickle.loads`."""
    raise DeserializationError("localfn reads JSON only; pickled data is not loaded.")


DefaultSerializer.loads = refuse_pickle  # for every class of RQ that uses the default


class SafeJob(Job):
    """A job that can be shown, moved and deleted, but not performed."""

    success_callback: ClassVar[None] = None
    failure_callback: ClassVar[None] = None
    stopped_callback: ClassVar[None] = None

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: ARG002
        super().__init__(id, connection, serializer=JSONSerializer)

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: Any = None) -> Job:
        """Return the job. Raises NoSuchJobError for an invalid id or a key of another type."""
        if not JOB_ID.fullmatch(id):
            raise NoSuchJobError("This is not a job id.")
        try:
            return super().fetch(id, connection, serializer)
        except ResponseError as error:  # the key holds another type
            raise NoSuchJobError(f"{cls.key_for(id)} is not a job: {error}") from error

    @classmethod
    def fetch_many(cls, job_ids: Iterable[str], connection: Redis, serializer: Any = None) -> list[Job | None]:  # noqa: ARG003
        """Return the jobs; None for each that is missing, or no whole job.

        A worker may report on a job while it is deleted, which leaves a few fields.
        """
        ids = list(job_ids)
        with connection.pipeline(transaction=False) as pipeline:
            for id in ids:
                pipeline.hgetall(cls.key_for(id))
            found = pipeline.execute(raise_on_error=False)
        return [cls._restored(id, connection, raw) for id, raw in zip(ids, found, strict=True)]

    @classmethod
    def _restored(cls, id: str, connection: Redis, raw: Any) -> Job | None:
        if not isinstance(raw, dict) or not raw:  # the key is missing, or holds another type
            return None
        job = cls(id, connection)
        try:
            job.restore(raw)
        except NoSuchJobError:
            return None
        return job

    def restore(self, raw_data: Any) -> None:
        """Read the fields of a bell; replace an unreadable call by a placeholder. Raises NoSuchJobError."""
        known = {text(name): value for name, value in raw_data.items() if text(name) in FIELDS}
        try:
            super().restore({name: _bounded(name, value) for name, value in known.items()})
            self._check_call()
        except NoSuchJobError:
            raise
        except Exception:  # noqa: BLE001 - RQ raises errors of many types for a malformed field
            self._restore_without_call(known)

    def _check_call(self) -> None:
        kinds = (type(self.func_name), type(self.args), type(self.kwargs))
        if kinds != (str, list, dict):
            raise ValueError("The job's data is not a call.")

    def _restore_without_call(self, known: dict[str, Any]) -> None:
        try:
            super().restore({**known, "data": UNREADABLE.encode()})
        except Exception as error:
            raise NoSuchJobError(f"{self.key} is not a job: {type(error).__name__}") from error

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:  # noqa: ARG002 - RQ's signature
        """Return no metadata: a bell has none, and metadata of other jobs is not read."""
        return {}

    def latest_result(self, timeout: int = 0) -> Result | None:  # noqa: ARG002 - RQ's signature
        """Return how the job ended and its error, without its return value; None if unreadable."""
        try:
            entries: Any = self.connection.xrevrange(_results_key(self.id), count=1)
            return _result(self, *entries[0]) if entries else None
        except (ResponseError, ValueError, KeyError, zlib.error):
            return None

    def delete(
        self,
        pipeline: Pipeline | None = None,
        remove_from_queue: bool = True,
        delete_dependents: bool = False,  # noqa: ARG002 - a bell has none
    ) -> None:
        """Delete the job and its registry entries, in every status. The entry of its execution expires."""
        commands = self.connection.pipeline(transaction=False) if pipeline is None else pipeline
        if remove_from_queue:
            commands.lrem(f"{Queue.redis_queue_namespace_prefix}{self.origin}", 0, self.id)
        for kind in KINDS.values():
            commands.zrem(kind.key_template.format(self.origin), self.id)
        commands.delete(self.key, self.dependents_key, self.dependencies_key, _results_key(self.id))
        if pipeline is None:
            commands.execute(raise_on_error=False)  # a key of a wrong type has no entry of this job

    def perform(self) -> None:
        """Raise WorkqueueError: a worker reads the request id from a job, and never runs the job's call."""
        raise WorkqueueError("RQ cannot run a job of localfn: start a worker of localfn instead.")

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Do nothing: a bell has no webhook."""


def ids(entries: Iterable[bytes | str]) -> list[str]:
    """Return the job ids among the entries of a queue or registry, without malformed entries."""
    found = (text(entry).partition(":")[0] for entry in entries)
    return [job_id for job_id in found if JOB_ID.fullmatch(job_id)]


def _results_key(job_id: str) -> str:
    key: str = Result.get_key(job_id)  # type: ignore[no-untyped-call]
    return key


def _result(job: Job, result_id: bytes, fields: dict[bytes, bytes]) -> Result:
    """Build a Result from a stream entry. Raises ValueError, KeyError, zlib.error."""
    error = fields.get(b"exc_string")
    message = None if error is None else _decompress(b64decode(error), MAX_ERROR).decode("utf-8", "replace")
    kind = Result.Type(int(fields[b"type"]))
    return Result(job.id, kind, connection=job.connection, id=text(result_id), exc_string=message)


def text(value: bytes | str) -> str:
    """Return the text, with replacement characters for bytes that are not UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _bounded(name: str, value: Any) -> Any:
    """Return a decompressed field. Raises ValueError when it is too long."""
    if name == "data":
        with contextlib.suppress(zlib.error):  # it is stored uncompressed
            value = _decompress(value, MAX_DATA)
    if len(value) > MAX_DATA:
        raise ValueError(f"{name} is longer than {MAX_DATA} bytes.")
    return value


def _decompress(data: bytes, max_bytes: int) -> bytes:
    """Decompress up to `max_bytes`: a small field may expand to gigabytes. Raises zlib.error, ValueError."""
    decompressor = zlib.decompressobj()
    found = decompressor.decompress(data, max_bytes)
    if decompressor.unconsumed_tail:
        raise ValueError(f"The field decompresses to more than {max_bytes} bytes.")
    return found
