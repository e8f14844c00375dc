"""Compare the state machine with a model on a real PostgreSQL: all interleavings of moves keep the invariants."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from schema.engine import autocommit
from schema.statuses import TRANSITIONS, Outcome, Phase, Status
from schema.steps import run
from tests.integration.lifecycle.steps import accept_request
from tests.support import clock_control
from workqueue import lifecycle
from workqueue.errors import LeaseLostError, NotAllowedNowError
from workqueue.functions.retry_policy import MAX_LOSSES
from workqueue.lifecycle import AttemptProgress, AttemptRecord, Claim, Completion
from workqueue.outcomes import CancelledError

LEASE_S = 8.0
WORKERS = st.sampled_from(["a", "b", "c"])
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class ModelRequest:
    """Model the expected state of a request."""

    on_lost: str
    status: Status = Status.PENDING
    attempt: int = 0
    losses: int = 0
    available_at: datetime = START
    holder: Claim | None = None
    lease_until: datetime = START
    cancel_requested: bool = False
    result: int | None = None
    history: list[Status] = field(default_factory=lambda: [Status.PENDING])

    def move(self, status: Status) -> None:
        assert (self.status, status) in TRANSITIONS
        self.status = status
        self.history.append(status)
        if status != Status.PROCESSING:
            self.holder = None

    def is_held_by(self, claim: Claim) -> bool:
        return self.holder is not None and self.holder.fencing_token == claim.fencing_token


class Requests(RuleBasedStateMachine):
    """Run workers, clients and the reconciler in any order."""

    ids: Bundle[UUID] = Bundle("ids")
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.now = START
        clock_control.set_time(engine, START)
        self.model: dict[UUID, ModelRequest] = {}
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM processing_request"))

    @rule(target=ids, on_lost=st.sampled_from(["rerun", "fail"]))
    def submit(self, on_lost: str) -> UUID:
        request_id = accept_request(self.engine, on_lost=on_lost, max_attempts=3)
        self.model[request_id] = ModelRequest(on_lost)
        return request_id

    @rule(seconds=st.floats(0.1, 3 * LEASE_S))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        clock_control.set_time(self.engine, self.now)

    @rule(target=claims, group=st.lists(ids, min_size=1, max_size=4, unique=True), worker=WORKERS)
    def claim(self, group: list[UUID], worker: str) -> Any:
        claims = {claim.request_id: claim for claim in lifecycle.claim(self.engine, group, worker, self.now, LEASE_S)}
        assert list(claims) == [id for id in group if id in claims], "in the order of the bells"
        for id in group:
            self.check_claimed(self.model[id], claims.get(id))
        return multiple(*claims.values())

    def check_claimed(self, model: ModelRequest, claim: Claim | None) -> None:
        due = model.status == Status.PENDING and model.available_at <= self.now + timedelta(milliseconds=500)
        assert (claim is not None) == due
        if claim is None:
            return
        model.move(Status.PROCESSING)
        model.attempt += 1
        assert claim.attempt == model.attempt
        model.holder, model.lease_until = claim, self.now + timedelta(seconds=LEASE_S)

    @rule(held=st.lists(claims, max_size=2), worker=WORKERS)
    def resume(self, held: list[Claim], worker: str) -> None:
        """Return the claims whose answer was lost: those of the worker's requests that it does not know of."""
        known = [claim.request_id for claim in held]
        with autocommit(self.engine) as connection:
            found = run(connection, lifecycle.resume_steps(known, worker, self.now, LEASE_S))
        mine = {id for id, model in self.model.items() if model.holder and model.holder.worker == worker}
        assert {claim.request_id for claim in found} == mine - set(known)
        for claim in found:
            model = self.model[claim.request_id]
            assert claim.attempt == model.attempt
            model.lease_until = self.now + timedelta(seconds=LEASE_S)

    @rule(group=st.lists(claims, min_size=1, max_size=4, unique_by=lambda claim: claim.request_id), worker=WORKERS)
    def unclaim(self, group: list[Claim], worker: str) -> None:
        """Give back the requests of one worker's batch that it has not started."""
        own = [claim for claim in group if claim.worker == worker]
        if not own:
            return
        free = {bell.request_id: bell for bell in lifecycle.release_unstarted(self.engine, own, self.now)}
        for claim in own:
            model = self.model[claim.request_id]
            assert (claim.request_id in free) == (model.is_held_by(claim) and not model.cancel_requested)
            if claim.request_id in free:
                assert free[claim.request_id].attempt == claim.attempt, "the number is given out again"
                model.move(Status.PENDING)
                model.attempt -= 1

    @rule(claim=claims)
    def extend(self, claim: Claim) -> None:
        model = self.model[claim.request_id]

        def write() -> bool:
            return lifecycle.extend(self.engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS, (0.5, None)))

        if self.check_held(model, claim, write) is not None:
            model.lease_until = self.now + timedelta(seconds=LEASE_S)

    @rule(group=st.lists(claims, min_size=1, max_size=4, unique_by=lambda claim: claim.request_id), worker=WORKERS)
    def finish(self, group: list[Claim], worker: str) -> None:
        """Finish a worker's batch in one commit; each request has its own outcome."""
        own = [claim for claim in group if claim.worker == worker]
        if not own:
            return
        completions = [Completion(claim, str(claim.attempt), [], AttemptRecord()) for claim in own]
        refused = lifecycle.finish(self.engine, completions, self.now)
        for claim in own:
            self.check_finished(self.model[claim.request_id], claim, refused.get(claim.request_id))

    def check_finished(self, model: ModelRequest, claim: Claim, error: Exception | None) -> None:
        held, cancelled, repeated = model.is_held_by(claim), model.cancel_requested, model.result == claim.attempt
        if isinstance(error, CancelledError):
            assert (held, cancelled) == (True, True)
        elif error is not None:
            assert isinstance(error, LeaseLostError)
            assert (held, repeated) == (False, False)
        else:
            assert (held and not cancelled) or repeated
            if held:
                model.move(Status.COMPLETED)
                model.result = claim.attempt

    @rule(claim=consumes(claims))
    def fail(self, claim: Claim) -> None:
        model = self.model[claim.request_id]
        record = AttemptRecord(outcome=Outcome.FAILED, error_type="E", error_message="m")
        self.leave(
            model, claim, Status.FAILED, lambda: lifecycle.fail(self.engine, claim, record, Phase.PROCESS, self.now)
        )

    @rule(claim=consumes(claims), delay_s=st.sampled_from([0.0, 2.0, 60.0]))
    def give_back(self, claim: Claim, delay_s: float) -> None:
        model = self.model[claim.request_id]
        record = AttemptRecord(outcome=Outcome.GIVEN_BACK)
        if model.is_held_by(claim) and model.cancel_requested:
            with pytest.raises(CancelledError):
                lifecycle.give_back(self.engine, claim, record, self.now, delay_s=delay_s)
            return
        if self.leave(
            model,
            claim,
            Status.PENDING,
            lambda: lifecycle.give_back(self.engine, claim, record, self.now, delay_s=delay_s),
        ):
            model.available_at = self.now + timedelta(seconds=delay_s)

    @rule(id=ids)
    def cancel(self, id: UUID) -> None:
        model = self.model[id]
        try:
            lifecycle.cancel(self.engine, id, self.now)
        except NotAllowedNowError:
            assert model.status in (Status.COMPLETED, Status.FAILED)
            return
        model.cancel_requested = True
        if model.status == Status.PENDING:
            model.move(Status.FAILED)

    @rule(id=ids)
    def retry(self, id: UUID) -> None:
        model = self.model[id]
        try:
            bell = lifecycle.retry(self.engine, id, self.now)
        except NotAllowedNowError:
            assert model.status != Status.FAILED
            return
        assert bell.attempt == model.attempt + 1
        model.move(Status.PENDING)
        model.losses, model.cancel_requested, model.available_at = 0, False, self.now

    @rule()
    def reconcile(self) -> None:
        lapsed = {entry.request_id: entry for entry in lifecycle.expire_leases(self.engine, self.now)}
        for id, model in self.model.items():
            late = model.status == Status.PROCESSING and model.lease_until < self.now
            assert (id in lapsed) == late
            if late:
                model.losses += 1
                gives_up = model.cancel_requested or model.on_lost == "fail" or model.losses > MAX_LOSSES
                assert (lapsed[id].status is Status.FAILED) == gives_up
                model.move(Status.FAILED if gives_up else Status.PENDING)
                model.available_at = self.now

    def check_held(self, model: ModelRequest, claim: Claim, write: Any) -> Any:
        try:
            answer = write()
        except LeaseLostError:
            assert not model.is_held_by(claim)
            return None
        assert model.is_held_by(claim)
        return answer

    def leave(self, model: ModelRequest, claim: Claim, status: Status, write: Any) -> bool:
        held = model.is_held_by(claim)
        try:
            write()
        except LeaseLostError:
            assert not held
            return False
        if held:
            model.move(status)
        return held

    @invariant()
    def the_database_agrees(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.execute(text(ROWS)).mappings().all()
        assert {row["id"] for row in rows} == self.model.keys()
        for row in rows:
            model = self.model[row["id"]]
            assert (row["status"], row["attempt"], row["losses"]) == (model.status, model.attempt, model.losses)
            assert row["cancel_requested"] == model.cancel_requested
            assert row["result"] == model.result
            assert row["attempts"] == model.attempt
            assert row["open"] == (1 if model.status == Status.PROCESSING else 0), "one attempt at most is open"
            assert (model.result is not None) == (model.status == Status.COMPLETED)


ROWS = """
    SELECT r.id, r.status, r.attempt, r.losses, r.cancel_requested, s.attempt AS result,
           (SELECT count(*) FROM request_attempt a WHERE a.request_id = r.id) AS attempts,
           (SELECT count(*) FROM request_attempt a WHERE a.request_id = r.id AND a.outcome IS NULL) AS open
    FROM processing_request r LEFT JOIN processing_result s ON s.request_id = r.id
"""


def test_all_interleavings_of_moves_keep_the_invariants(engine: Engine) -> None:
    class OnThisEngine(Requests):
        def __init__(self) -> None:
            super().__init__(engine)

    run_state_machine_as_test(
        OnThisEngine,
        settings=settings(max_examples=80, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )
