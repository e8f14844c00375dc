"""Run the short form of chaos; `./dev chaos --minutes N --seed S` is the long form."""

import os

import pytest

from tests.chaos.run import run

SEED = int(os.environ.get("CHAOS_SEED", "45"))
DURATION_S = 80.0
LEASE_S = 4.0


@pytest.mark.timeout(300)
def test_no_request_is_lost_or_doubled_under_any_faults() -> None:
    report = run(SEED, DURATION_S, LEASE_S)
    print(report.table())
    assert not report.violations, "\n\n".join([report.findings(), *report.timelines])
