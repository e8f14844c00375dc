"""Step the database's clock forward and back: live leases are kept, and requests do not wait for the clock."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import redis
from sqlalchemy import Engine, text

from schema.engine import make_engine
from schema.statuses import Phase
from tests.conftest import StartRuntime
from tests.integration.lifecycle.steps import accept_request, read_row
from tests.support import clock_control
from tests.support.waiting import wait_until
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.lifecycle import AttemptProgress, AttemptRecord, Claim
from workqueue.maintenance.reconciler import Reconciler
from workqueue.transport.doorbell import Doorbell

LEASE_S = 2.0
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _settable(engine: Engine) -> None:
    clock_control.shift_time(engine, timedelta(0))


@pytest.fixture
def reconciler(engine: Engine, redis_client: redis.Redis) -> Reconciler:
    """Return a reconciler that leads and has completed one iteration."""
    made = Reconciler(engine, Doorbell(redis_client), Clock(), LEASE_S)
    made.start_leading()
    made.run_iteration()
    return made


def now(engine: Engine) -> datetime:
    with engine.connect() as connection:
        found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def claimed(engine: Engine, worker: str) -> Claim:
    (claim,) = lifecycle.claim(engine, [accept_request(engine)], worker, now(engine), LEASE_S)
    return claim


def extend(engine: Engine, claim: Claim) -> None:
    """Extend the lease; raises LeaseLostError."""
    lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS))


@pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(days=400), timedelta(days=-400)])
def test_a_live_lease_is_kept_and_a_dead_one_lapses(engine: Engine, reconciler: Reconciler, by: timedelta) -> None:
    live, dead = claimed(engine, "live"), claimed(engine, "dead")
    clock_control.shift_time(engine, by)
    reconciler.run_iteration()  # Before any worker could extend its lease.

    def dead_is_found() -> bool:
        extend(engine, live)
        reconciler.run_iteration()
        return bool(read_row(engine, dead.request_id)["losses"])

    wait_until(dead_is_found, 30)
    extend(engine, live)
    assert read_row(engine, live.request_id)["losses"] == 0


def test_a_lease_from_before_the_reconcilers_start_lapses_too(engine: Engine, redis_client: redis.Redis) -> None:
    dead = claimed(engine, "dead")
    clock_control.shift_time(engine, -HOUR)
    late = Reconciler(engine, Doorbell(redis_client), Clock(), LEASE_S)
    late.start_leading()

    def is_found() -> bool:
        late.run_iteration()
        return bool(read_row(engine, dead.request_id)["losses"])

    wait_until(is_found, 30)


def accepted_now(engine: Engine, delay_s: float = 0) -> UUID:
    """Submit a request as a web process does whose clock is the database's at this moment."""
    request_id, moment = accept_request(engine, available_s=delay_s), now(engine)
    statement = """
        UPDATE processing_request
        SET created_at = :now, available_at = :now + :delay, rung_at = CASE WHEN rung_at IS NOT NULL THEN :now END
        WHERE id = :id
    """
    with engine.begin() as connection:
        connection.execute(text(statement), {"id": request_id, "now": moment, "delay": timedelta(seconds=delay_s)})
    return request_id


def test_requests_accepted_before_the_clock_was_set_back_are_claimed_at_once(engine: Engine) -> None:
    due, later = accepted_now(engine), accepted_now(engine, delay_s=60)
    clock_control.shift_time(engine, -HOUR)

    claims = lifecycle.claim(engine, [due, later], "w", now(engine), LEASE_S)
    assert [claim.request_id for claim in claims] == [due], "what was asked for later comes later"


def test_a_bell_lost_before_the_clock_was_set_back_is_rung_again(
    engine: Engine, reconciler: Reconciler, redis_client: redis.Redis
) -> None:
    request_id = accepted_now(engine)  # And its bell is lost.
    clock_control.shift_time(engine, -HOUR)
    reconciler.run_iteration()
    assert redis_client.lrange("rq:queue:default", 0, -1) == [f"{request_id}-1".encode()]

    reconciler.run_iteration()
    assert redis_client.llen("rq:queue:default") == 1, "the time of the bell is stored"
    assert read_row(engine, request_id)["rung_at"] <= now(engine)


def test_a_retry_delay_is_not_prolonged_by_a_clock_set_back(
    engine: Engine, reconciler: Reconciler, redis_client: redis.Redis
) -> None:
    claim = claimed(engine, "w")
    lifecycle.give_back(engine, claim, AttemptRecord(), now(engine), delay_s=1.0)
    reconciler.run_iteration()
    clock_control.shift_time(engine, -HOUR)

    def is_rung() -> bool:
        reconciler.run_iteration()
        return redis_client.llen("rq:queue:default") == 1

    wait_until(is_rung, 30)


def test_a_worker_with_a_wrong_clock_writes_leases_by_the_databases_clock(
    engine: Engine, reconciler: Reconciler
) -> None:
    for wrong in (HOUR, -HOUR):
        (claim,) = lifecycle.claim(engine, [accepted_now(engine)], "w", now(engine) + wrong, LEASE_S)
        lease = read_row(engine, claim.request_id)["lease_expires_at"]
        assert abs(lease - now(engine)) < HOUR / 2
        lifecycle.give_back(engine, claim, AttemptRecord(), now(engine) + wrong, delay_s=1.0)
        assert abs(read_row(engine, claim.request_id)["available_at"] - now(engine)) < HOUR / 2
    reconciler.run_iteration()


def test_a_late_bell_does_not_mark_a_request_that_waits_for_its_next_attempt(engine: Engine) -> None:
    """Leave the next attempt's delay alone: workers may claim a request once it counts as rung."""
    request_id = accepted_now(engine)
    bells = lifecycle.find_stale_queued(engine, now(engine) + HOUR)
    (claim,) = lifecycle.claim(engine, [request_id], "w", now(engine), LEASE_S)
    lifecycle.give_back(engine, claim, AttemptRecord(), now(engine), delay_s=60)
    lifecycle.mark_rung(engine, bells, now(engine))
    assert read_row(engine, request_id)["rung_at"] is None
    assert lifecycle.claim(engine, [request_id], "w", now(engine), LEASE_S) == []


def test_a_clock_reports_the_step_of_the_databases_clock(engine: Engine) -> None:
    clock = Clock()
    assert clock.synchronise(engine) == 0, "the first time there is nothing to compare"
    assert clock.synchronise(engine) == 0
    for by in (HOUR, -2 * HOUR):
        clock_control.shift_time(engine, by)
        assert clock.synchronise(engine) == pytest.approx(by.total_seconds(), abs=60)
        assert clock.synchronise(engine) == 0
        assert abs(clock.now() - now(engine)) < HOUR / 2


def test_a_clock_is_refreshed_after_a_step_of_the_machines_clock(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, machine = Clock(), time.time
    clock.synchronise(engine)
    clock_control.shift_time(engine, HOUR)
    clock.refresh(engine, every_s=3600)
    assert clock.now() < now(engine) - HOUR / 2, "it cannot know yet"
    monkeypatch.setattr(time, "time", lambda: machine() + 3600)
    clock.refresh(engine, every_s=3600)
    assert abs(clock.now() - now(engine)) < HOUR / 2


def test_a_runtime_works_through_clock_steps_forward_and_back(start_runtime: StartRuntime, tmp_path: Path) -> None:
    with start_runtime(settings={"LOCALFN_LEASE_SECONDS": "3"}) as runtime:
        engine = make_engine(runtime.database_url, pool_size=1)
        clock_control.shift_time(engine, timedelta(0))
        wait_until(runtime.is_ready, 30, "it has connected anew")
        ledger = tmp_path / "ledger"
        request_id = runtime.post("sleep_and_note", {"ledger": str(ledger), "seconds": 15})["id"]
        wait_until(lambda: ledger.exists() and ledger.read_text(), 30, "it runs")
        for by in (HOUR, -2 * HOUR):
            waiting = runtime.post("echo", 1, params={"delay_s": 0})["id"]
            clock_control.shift_time(engine, by)
            assert runtime.wait_ended(waiting)["status"] == "completed"
            assert runtime.result("echo", 2) == 2
        ended = runtime.wait_ended(request_id, timeout_s=60)
        assert (ended["status"], ended["attempt"]) == ("completed", 1)
        assert ledger.read_text().count("\n") == 1, "it has begun once"
        engine.dispose()
