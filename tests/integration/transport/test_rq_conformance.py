"""What localfn writes into Redis, beside what RQ and rq-scheduler write for the same job: the same keys and fields.

Each intended difference is listed below with its reason. A new version of RQ that writes something else fails here.
"""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import redis
from rq import Queue, SimpleWorker, get_current_job
from rq.serializers import JSONSerializer
from rq_scheduler import Scheduler
from sqlalchemy import Engine, text

from tests.integration.lifecycle.steps import accept_request, claim_request
from tests.integration.transport.redis_snapshots import Snapshot, fields, snapshot
from tests.support.waiting import run
from workqueue import ids
from workqueue.clock import Clock
from workqueue.transport.doorbell import ENTRY, FAILURE_TTL_S, QUEUED_TTL_S, RESULT_TTL_S, Bell, Doorbell
from workqueue.transport.rq_scheduler import ENTRY as TICK
from workqueue.transport.rq_scheduler import NextRun, RqSchedulerMirror
from workqueue.transport.rq_status import ClaimedJob, FinishedJob, RqStatusReporter
from workqueue.transport.safe_job import SafeJob

REQUEST = UUID("019ad000-0000-7000-8000-000000000000")
JOB = f"{REQUEST}-1"
QUEUE, WORKER = "high", "w"
DESCRIPTION = f"f {REQUEST}"
TICK_AT = datetime(2030, 1, 1, tzinfo=UTC)

# RQ writes these empty. A bell has no callback and no group, and RQ reads an absent field as an empty one.
EMPTY_FIELDS = {
    "success_callback_name",
    "failure_callback_name",
    "stopped_callback_name",
    "started_at",
    "ended_at",
    "last_heartbeat",
    "worker_name",
    "group_id",
}
# The heartbeat of a job is that of its lease, in PostgreSQL.
NO_HEARTBEAT = {"last_heartbeat"}
# RQ stores the returned value, and an entry even for None. localfn keeps results in PostgreSQL.
SUCCESS_RESULT = f"rq:results:{JOB}"
# The executions of an attempt that ended within milliseconds were never written, so a result has none to refer to.
EXECUTION_OF_RESULT = {"execution_id", "execution_started_at", "execution_ended_at"}
# RQ's worker sweeps job groups at its start and notes that it did. Bells have no groups.
GROUP_SWEEP = "rq:clean_groups"


started: list[Snapshot] = []


def ring(client: redis.Redis, attempt: int = 1) -> None:
    assert Doorbell(client).ring([Bell(REQUEST, attempt, QUEUE, "f")])


def enqueue(
    client: redis.Redis, call: str = ENTRY, *, at_front: bool = False, job_id: str = JOB, **kwargs: Any
) -> Queue:
    queue = Queue(QUEUE, connection=client, serializer=JSONSerializer)
    queue.enqueue_call(
        call,
        kwargs=kwargs,
        job_id=job_id,
        description=DESCRIPTION,
        timeout=-1,
        ttl=QUEUED_TTL_S,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        at_front=at_front,
    )
    return queue


def work(client: redis.Redis, call: str) -> Snapshot:
    """Let RQ's own worker run a call as our job; return what it leaves."""
    queue = enqueue(client, call)
    worker = SimpleWorker([queue], name=WORKER, connection=client, serializer=JSONSerializer)
    worker.register_birth()  # type: ignore[no-untyped-call]
    taken = worker.dequeue_job_and_maintain_ttl(1)
    assert taken is not None
    worker.execute_job(taken[0], queue)
    return snapshot(client)


def capture() -> None:
    """Run as a job: keep what RQ's worker has written at that time."""
    job = get_current_job()
    assert job is not None
    started.append(snapshot(job.connection))


def fail() -> None:
    raise ValueError("x")


HERE = f"{__name__}."


@pytest.fixture
def client(redis_client: redis.Redis) -> redis.Redis:
    started.clear()
    return redis_client


def report(client: redis.Redis, error: str | None, *, lasts: bool = False) -> tuple[Snapshot, Snapshot]:
    """Report the end of a request that was rung; return what Redis holds while it runs, and afterwards."""
    client.flushdb()
    ring(client)
    assert client.lpop(f"rq:queue:{QUEUE}") == JOB.encode()
    claimed = ClaimedJob(JOB, REQUEST, QUEUE, datetime.now(UTC))
    return run(_report(client, claimed, error, lasts=lasts))


async def _report(
    client: redis.Redis, claimed: ClaimedJob, error: str | None, *, lasts: bool
) -> tuple[Snapshot, Snapshot]:
    options = client.get_connection_kwargs()
    async with redis.asyncio.Redis(unix_socket_path=options["path"], db=options.get("db", 0)) as async_client:
        reporter = RqStatusReporter(async_client, client, WORKER)
        if lasts:
            reporter.report_started([claimed])
            await reporter.flush()
        meanwhile = snapshot(client)
        reporter.report_finished([FinishedJob(claimed, error)], datetime.now(UTC))
        await reporter.flush()
        return meanwhile, snapshot(client)


def test_a_bell_is_what_rq_enqueues(client: redis.Redis) -> None:
    ring(client)
    ours = snapshot(client)
    client.flushdb()
    enqueue(client, request_id=str(REQUEST))
    rqs = snapshot(client)

    job = f"rq:job:{JOB}"
    assert set(ours) == set(rqs) == {job, f"rq:queue:{QUEUE}", "rq:queues"}
    assert {key: ours[key] for key in ours if key != job} == {key: rqs[key] for key in rqs if key != job}
    assert (ours[job].type, ours[job].ttl_s) == (rqs[job].type, rqs[job].ttl_s)
    own, theirs = fields(ours, job), fields(rqs, job)
    assert set(theirs) - set(own) == EMPTY_FIELDS == {name for name, value in theirs.items() if value == ""}
    assert set(own) <= set(theirs)
    times = {"created_at", "enqueued_at"}
    assert {name: own[name] for name in own.keys() - times - {"data"}} == {
        name: theirs[name] for name in own.keys() - times - {"data"}
    }
    assert json.loads(own["data"]) == json.loads(theirs["data"])
    assert all(datetime.fromisoformat(own[name]).tzinfo == UTC for name in times)


def test_a_retry_is_pushed_to_the_front_as_rq_does(client: redis.Redis) -> None:
    ring(client)
    ring(client, attempt=2)
    ours = snapshot(client)[f"rq:queue:{QUEUE}"]
    client.flushdb()
    enqueue(client)
    enqueue(client, job_id=ids.job_id(REQUEST, 2), at_front=True)
    assert ours == snapshot(client)[f"rq:queue:{QUEUE}"]
    assert ours.content == [f"{REQUEST}-2".encode(), JOB.encode()]


def test_rqs_own_queue_reads_a_bell(client: redis.Redis) -> None:
    ring(client)
    (job,) = Queue(QUEUE, connection=client, serializer=JSONSerializer).jobs
    assert (job.id, job.description) == (JOB, DESCRIPTION)
    assert (job.func_name, job.kwargs) == (ENTRY, {"request_id": str(REQUEST)})
    assert ids.request_id_of(job.id) == REQUEST


def test_a_claim_stores_the_job_id_of_its_bell(engine: Engine) -> None:
    claim = claim_request(engine, accept_request(engine))
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT job_id FROM processing_request")).scalar_one()
    assert stored == claim.job.id == ids.job_id(claim.request_id, 1)


def test_a_completed_request_enters_rqs_registry_of_finished_jobs(client: redis.Redis) -> None:
    rqs = work(client, f"{HERE}capture")
    _, ours = report(client, None)

    assert_same_end(ours, rqs, f"rq:finished:{QUEUE}", without={SUCCESS_RESULT, GROUP_SWEEP})
    assert SUCCESS_RESULT in rqs
    assert fields(ours, f"rq:worker:{WORKER}")["successful_job_count"] == "1"


def test_a_failed_request_enters_rqs_registry_of_failed_jobs(client: redis.Redis) -> None:
    rqs = work(client, f"{HERE}fail")
    _, ours = report(client, "ValueError: x")

    assert_same_end(ours, rqs, f"rq:failed:{QUEUE}", without={GROUP_SWEEP})
    results = f"rq:results:{JOB}"
    (own,), (theirs,) = ours[results].content, rqs[results].content
    assert {name.decode() for name in theirs.keys() - own.keys()} == EXECUTION_OF_RESULT
    assert own[b"type"] == theirs[b"type"]
    assert own[b"worker_name"] == theirs[b"worker_name"] == WORKER.encode()
    assert ours[results].ttl_s == rqs[results].ttl_s == FAILURE_TTL_S
    assert fields(ours, f"rq:worker:{WORKER}")["failed_job_count"] == "1"


def test_a_request_that_lasts_enters_rqs_registry_of_started_jobs(client: redis.Redis) -> None:
    work(client, f"{HERE}capture")
    (rqs,) = started
    ours, ended = report(client, None, lasts=True)

    assert job_keys(ours) == job_keys(rqs)
    assert fields(ours, f"rq:job:{JOB}")["status"] == fields(rqs, f"rq:job:{JOB}")["status"] == "started"
    assert fields(ours, f"rq:worker:{WORKER}")["state"] == fields(rqs, f"rq:worker:{WORKER}")["state"] == "busy"
    assert ours[f"rq:job:{JOB}"].ttl_s == rqs[f"rq:job:{JOB}"].ttl_s
    assert job_keys(ended) == {"rq:job", f"rq:finished:{QUEUE}"}
    assert fields(ended, f"rq:worker:{WORKER}")["state"] == "idle"


def job_keys(taken: Snapshot) -> set[str]:
    """Return the keys of a job and of its execution, without the execution's own id, and the registries."""
    of_job = {key.partition(f":{JOB}")[0] for key in taken if JOB in key}
    return of_job | {key for key in taken if key.split(":")[1] in {"wip", "finished", "failed"}}


def assert_same_end(ours: Snapshot, rqs: Snapshot, registry: str, without: set[str]) -> None:
    of_workers = {"rq:workers", f"rq:workers:{QUEUE}"}  # written at the start of a worker, by RQ's own code
    assert set(ours) == set(rqs) - without - of_workers
    assert ours[registry].content.keys() == rqs[registry].content.keys() == {JOB.encode()}
    assert ours[registry].content[JOB.encode()] == pytest.approx(rqs[registry].content[JOB.encode()], abs=60)
    job = f"rq:job:{JOB}"
    own, theirs = fields(ours, job), fields(rqs, job)
    written = {name for name, value in theirs.items() if value}
    assert written - own.keys() == NO_HEARTBEAT
    assert own.keys() <= theirs.keys()
    same = {"status", "origin", "worker_name", "timeout", "ttl", "result_ttl", "failure_ttl"}
    assert {name: own[name] for name in same} == {name: theirs[name] for name in same}
    assert ours[job].ttl_s == rqs[job].ttl_s


def test_a_schedule_is_what_rq_scheduler_enqueues(client: redis.Redis) -> None:
    mirror = RqSchedulerMirror(client, Clock())
    mirror.register_birth()
    mirror.write([NextRun("s", "rate(1 day)", TICK_AT)])
    ours = snapshot(client)
    client.flushdb()
    stock = Scheduler(connection=client, job_class=SafeJob, interval=1, name=mirror.name)
    stock.register_birth()
    stock.enqueue_at(TICK_AT, TICK, schedule="s", job_id="schedule-s", job_description="s: rate(1 day)")
    rqs = snapshot(client)

    for taken in (ours, rqs):
        del taken["rq:job:schedule-s"].content["created_at"]
        del taken[mirror.key].content["birth"]
    assert ours == rqs


def test_a_job_of_which_a_few_fields_are_left_is_deleted_with_others(redis_client: redis.Redis) -> None:
    """A worker may report on a job while another process deletes it."""
    ring(redis_client)
    other = f"{REQUEST}-2"
    redis_client.hset(SafeJob.key_for(other), mapping={"status": "finished", "origin": QUEUE, "worker_name": WORKER})

    assert [job is None for job in SafeJob.fetch_many([JOB, other, f"{REQUEST}-3"], redis_client)] == [
        False,
        True,
        True,
    ]
    Doorbell(redis_client).delete_jobs([JOB, other])

    assert not redis_client.exists(SafeJob.key_for(JOB), SafeJob.key_for(other))
