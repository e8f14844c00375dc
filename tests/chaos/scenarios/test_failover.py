"""Run a failover to a standby; `./dev chaos failover` is the long form, with asynchronous standbys, too."""

import pytest

from tests.chaos.scenarios import failover
from tests.chaos.scenarios.polling_clients import Verdict
from tests.support.runtime import make_folder


@pytest.mark.timeout(240)
def test_a_failover_to_a_synchronous_standby_loses_no_accepted_request() -> None:
    with make_folder() as folder:
        report = failover.run(folder, is_synchronous=True, before_s=2.0, cut_s=1.0)
    print(report.table())
    assert "synchronous: a failover loses no accepted request" in report.doctor
    assert report.record.accepted
    assert not report.record.unexpected
    assert report.verdict == Verdict([], [])
    assert not report.again["once"], "work that must not start twice did"
