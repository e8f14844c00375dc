"""Submit requests and run schedules concurrently, on one row or with one key."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import redis
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from schema.engine import make_engine
from tests.integration.schedules.rows import put, register, row
from workqueue import lifecycle, submit
from workqueue.clock import Clock
from workqueue.event_json import JsonText
from workqueue.functions import registry
from workqueue.lifecycle.accept import find_key_holder
from workqueue.schedules import edits
from workqueue.submit import Submission, SubmitResult
from workqueue.transport.doorbell import Doorbell


def test_each_concurrent_run_of_a_schedule_uses_one_connection(
    database_url: str, engine: Engine, redis_client: redis.Redis
) -> None:
    register(engine)
    put(engine)
    few = make_engine(database_url, pool_size=2, max_overflow=0)
    doorbell, clock = Doorbell(redis_client), Clock()
    clock.synchronise(few)
    with ThreadPoolExecutor(10) as pool:
        ids = list(pool.map(lambda _: edits.run_now(few, doorbell, clock, "s"), range(20)))
    few.dispose()
    assert len(set(ids)) == row(engine).total_runs == 20


def test_a_key_is_free_when_its_request_is_deleted_concurrently(
    engine: Engine, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(engine)
    function, doorbell, clock = registry.find(engine, "f"), Doorbell(redis_client), Clock()

    def posted(event: int) -> SubmitResult:
        order = Submission(function, [event], idempotency_key="k")
        return submit.submit(engine, doorbell, clock, order)

    first = posted(1)

    def deleted_first(connection: Connection, name: str, key: str) -> object:
        monkeypatch.undo()
        lifecycle.delete(engine, first.ids[0])
        return find_key_holder(connection, name, key)

    monkeypatch.setattr(submit, "find_key_holder", deleted_first)
    second = posted(2)
    assert not second.replayed
    assert posted(2).ids == second.ids


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_one_of_many_equal_batches_with_one_key_is_stored(
    engine: Engine, redis_client: redis.Redis, count: int
) -> None:
    register(engine)
    function, doorbell, clock = registry.find(engine, "f"), Doorbell(redis_client), Clock()
    clock.synchronise(engine)

    def posted(_: int) -> SubmitResult:
        order = Submission(function, list(range(count)), idempotency_key="k", is_batch=True)
        return submit.submit(engine, doorbell, clock, order)

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(posted, range(8)))
    assert len({receipt.ids for receipt in receipts}) == 1
    assert len(receipts[0].ids) == count
    assert [receipt.replayed for receipt in receipts].count(False) == 1
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM processing_request").scalar_one() == count


def test_concurrent_submits_share_statements_and_each_is_stored_and_rung(
    engine: Engine, redis_client: redis.Redis
) -> None:
    register(engine)
    function, clock = registry.find(engine, "f"), Clock()
    submitter = submit.Submitter(engine, Doorbell(redis_client), clock)
    statements = []

    @event.listens_for(engine, "before_cursor_execute")
    def record(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    def posted(number: int) -> UUID:
        return submitter.submit(Submission(function, [JsonText(b"%d" % number)])).ids[0]

    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(posted, range(320)))
    assert sum("INSERT" in statement for statement in statements) < 320
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id, event::text, job_id FROM processing_request").all()
    assert {id: event for id, event, _ in rows} == {id: str(number) for number, id in enumerate(ids)}
    assert set(Doorbell(redis_client).queued_job_ids([function.queue])) == {job_id for _, _, job_id in rows}


def test_a_row_that_postgresql_rejects_fails_no_other_of_its_group(engine: Engine, redis_client: redis.Redis) -> None:
    register(engine)
    function, clock = registry.find(engine, "f"), Clock()
    submitter = submit.Submitter(engine, Doorbell(redis_client), clock)

    def posted(event: bytes) -> bool:
        try:
            submitter.submit(Submission(function, [JsonText(event)]))
        except DBAPIError:
            return False
        return True

    events = [b"1", b"not JSON"] * 100
    with ThreadPoolExecutor(16) as pool:
        stored = list(pool.map(posted, events))
    assert stored == [event == b"1" for event in events]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM processing_request").scalar_one() == 100
