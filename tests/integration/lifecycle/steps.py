"""Move requests from one state to the next, for tests of the lifecycle."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine
from uuid_utils.compat import uuid7

from schema.statuses import Outcome
from tests.support import clock_control
from workqueue import lifecycle
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import AttemptRecord, Claim, Completion, LogLine, NewRequest
from workqueue.requests import queries

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


LEASE_S = 8.0


def seconds(count: float) -> datetime:
    return NOW + timedelta(seconds=count)


def function_spec(**options: Any) -> FunctionSpec:
    values: dict[str, Any] = {
        "name": "f", "unit": "u", "root": None, "module": "m", "source_file": "m.py", "source_line": 1,
        "description": "", "queue": "default", "timeout_s": 1.0, "max_attempts": 1, "memory_mb": 64,
        "retry_delay_s": 2.0,
        "retry_max_delay_s": 300.0, "on_lost": "rerun", "environment": {}, "input_schema": None,
        "schema_checked_outside": False, "has_cleanup": False,
    }  # fmt: skip
    return FunctionSpec(**(values | options))


def accept_request(engine: Engine, *, available_s: float = 0, **options: Any) -> UUID:
    request = NewRequest(uuid7(), function_spec(**options), {"a": 1}, "default", NOW, seconds(available_s))
    with engine.begin() as connection:
        lifecycle.accept(connection, [request])
    return request.id


def claim_request(engine: Engine, request_id: UUID, worker: str = "w", at_s: float = 0) -> Claim:
    clock_control.set_time(engine, seconds(at_s))
    (claim,) = lifecycle.claim(engine, [request_id], worker, seconds(at_s), LEASE_S)
    return claim


def read_row(engine: Engine, request_id: UUID) -> Any:
    return queries.find_request(engine, request_id)[0]


def finish(engine: Engine, claim: Claim, data: str = "1", lines: Sequence[LogLine] = ()) -> None:
    """Finish one request; raises the error of a rejected finish."""
    completion = Completion(claim, data, [], AttemptRecord(lines=list(lines)))
    for error in lifecycle.finish(engine, [completion], seconds(1)).values():
        raise error


def failed_outcome(error_type: str = "ValueError") -> AttemptRecord:
    return AttemptRecord(outcome=Outcome.FAILED, error_type=error_type, error_message="m")


def make_claim(function: str = "f", **options: Any) -> Claim:
    """Return a claim that no row belongs to."""
    values: dict[str, Any] = {"inputs": (), "on_lost": "rerun"} | options
    return Claim(
        request_id=uuid4(), attempt=1, worker="w", function_name=function, event="1", queue="default",
        max_attempts=1, failures=0, losses=0, created_at=NOW, available_at=NOW, claimed_at=NOW, **values,
    )  # fmt: skip
