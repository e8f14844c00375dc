"""Check the counters of attempts: a sandbox that survives does not count as killed."""

import pytest

from schema.statuses import Outcome, Status
from tests.integration.lifecycle.steps import NOW, make_claim
from workqueue.lifecycle import AttemptRecord
from workqueue.telemetry import AttemptFinished, metrics
from workqueue.telemetry.counters import Counters


@pytest.mark.parametrize(
    ("outcome", "error_type", "cause"),
    [
        (Outcome.KILLED, "OutOfMemory", "memory"),
        (Outcome.KILLED, "SandboxExited", "exit"),
        (Outcome.TIMED_OUT, "TimedOut", "timeout"),
        (Outcome.FAILED, "OutOfMemory", None),
        (Outcome.FAILED, "KeyError", None),
    ],
)
def test_only_a_sandbox_that_ended_counts_as_killed(outcome: Outcome, error_type: str, cause: str | None) -> None:
    meter = Counters()
    meter.on_finished(
        [AttemptFinished(make_claim(), AttemptRecord(outcome=outcome, error_type=error_type), Status.FAILED)], NOW
    )

    kills = [labels for name, labels in meter.take() if name == metrics.KILLS.name]
    assert kills == ([] if cause is None else [(cause,)])
