"""Read /metrics of the whole installation: counters of workers and scheduler, gauges, and HTTP calls."""

from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from schema.engine import make_engine
from tests.integration.lifecycle.steps import LEASE_S, NOW, accept_request, claim_request, seconds
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue import lifecycle
from workqueue.requests import cancellation
from workqueue.telemetry import metric_store, metrics
from workqueue.telemetry.counters import Counters

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(runtime: Runtime) -> Samples:
    answer = runtime.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def increases(runtime: Runtime, before: Samples) -> Callable[..., float]:
    now = scrape(runtime)
    return lambda name, **labels: value(now, name, **labels) - value(before, name, **labels)


# Own functions, because counts of another test's functions arrive seconds later, during this one.
COUNTED = """
from localfn import Fail, function


@function
def counted(event, context):
    return event


@function
def counted_failure(event, context):
    raise Fail("as it is asked to")


@function(timeout_s=1)
def counted_timeout(event, context):
    while True:
        pass
"""


@pytest.fixture
def counting_runtime(runtime: Runtime) -> Iterator[Runtime]:
    path = runtime.write("counted.py", COUNTED)
    wait_until(lambda: runtime.knows("counted_timeout"), what="the functions are found")
    yield runtime
    path.unlink()


def test_counts_of_workers_are_exported_within_seconds(counting_runtime: Runtime) -> None:
    before = scrape(counting_runtime)
    for _ in range(3):
        counting_runtime.call("counted", {})
    counting_runtime.call("counted_failure", {})

    def look() -> bool:
        more = increases(counting_runtime, before)
        return (
            more("localfn_requests_ended_total", function="counted", status="completed") == 3
            and more("localfn_attempts_total", function="counted_failure", outcome="failed") == 1
        )

    wait_until(look, 15, "the numbers are handed over")
    more = increases(counting_runtime, before)
    assert more("localfn_queue_wait_seconds_count", function="counted") == 3
    assert more("localfn_run_seconds_bucket", function="counted", le="+Inf") == 3
    assert 0 < more("localfn_run_seconds_sum", function="counted") < 60
    for phase in ("validate", "process", "save", "cleanup"):
        assert more("localfn_phase_seconds_count", function="counted", phase=phase) == 3


def test_a_kill_is_counted_by_its_cause(counting_runtime: Runtime) -> None:
    before = scrape(counting_runtime)
    counting_runtime.call("counted_timeout", {})

    def look() -> bool:
        more = increases(counting_runtime, before)
        return (
            more("localfn_attempts_total", function="counted_timeout", outcome="timed_out") == 1
            and more("localfn_sandbox_kills_total", cause="timeout") >= 1
        )

    wait_until(look, 15, "the kill is counted")


def test_requests_that_end_while_waiting_are_counted(counting_runtime: Runtime) -> None:
    before = scrape(counting_runtime)
    one, *others = [counting_runtime.post("counted_failure", {}, params={"delay_s": 3600})["id"] for _ in range(3)]
    assert counting_runtime.http.post(f"/api/requests/{one}/cancel").status_code == 202
    counting_runtime.http.post("/api/requests/bulk", json={"action": "cancel", "ids": others})
    more = increases(counting_runtime, before)
    assert more("localfn_requests_ended_total", function="counted_failure", status="cancelled") == 3
    assert more("localfn_requests_ended_total", function="counted_failure", status="failed") == 0
    assert more("localfn_attempts_total", function="counted_failure", outcome="cancelled") == 0


def test_requests_of_an_emptied_queue_and_of_a_lost_worker_are_counted(engine: Engine) -> None:
    counters = Counters()
    for _ in range(2):
        accept_request(engine)
    assert len(cancellation.cancel_pending_in_queue(engine, counters, "default", NOW)) == 2
    assert cancellation.cancel_pending_in_queue(engine, counters, "default", NOW) == []
    claim_request(engine, accept_request(engine, on_lost="fail"))
    claim_request(engine, accept_request(engine))
    counters.on_lost(lifecycle.expire_leases(engine, seconds(LEASE_S + 1)), seconds(LEASE_S + 1))
    metric_store.flush(engine, counters)

    with engine.connect() as connection:
        found = metric_store.read(connection)
    assert found[metrics.REQUESTS.name, ("f", "cancelled")] == [2]
    assert found[metrics.REQUESTS.name, ("f", "failed")] == [1]
    assert found[metrics.ATTEMPTS.name, ("f", "lost")] == [2]
    assert found[metrics.RECONCILER.name, ("rerun",)] == found[metrics.RECONCILER.name, ("failed",)] == [1]


def test_a_locked_row_of_counters_does_not_block_a_cancel(engine: Engine) -> None:
    """Another session holds the row locked, as if frozen while it writes."""
    counters = Counters()
    cancellation.cancel(engine, counters, accept_request(engine), NOW)
    with engine.begin() as other:
        other.exec_driver_sql("SELECT * FROM metric_total FOR UPDATE")
        cancellation.cancel(engine, counters, accept_request(engine), NOW)  # The next write hands it over.
    cancellation.cancel(engine, counters, accept_request(engine), NOW)
    with engine.connect() as connection:
        assert metric_store.read(connection)[metrics.REQUESTS.name, ("f", "cancelled")] == [3]


def test_gauges_show_the_current_state(runtime: Runtime) -> None:
    samples = scrape(runtime)
    workers = sum(value(samples, "localfn_workers", state=state) for state in ("busy", "idle"))
    assert workers >= 1
    assert value(samples, "localfn_database_up") == value(samples, "localfn_redis_up") == 1
    assert ("localfn_queue_depth", (("queue", "default"),)) in samples
    assert ("localfn_leases_lost_total", ()) in samples
    # A count that never rose is exported as zero, so that a rate sees its first increase.
    assert ("localfn_sandbox_kills_total", (("cause", "memory"),)) in samples
    assert samples["localfn_requests_ended_total", (("function", "exit_hard"), ("status", "completed"))] == 0


def test_calls_are_counted_by_route_and_not_by_path(runtime: Runtime) -> None:
    before = scrape(runtime)
    for id in ("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"):
        runtime.http.get(f"/api/requests/{id}")
    more = increases(runtime, before)
    labels = {"route": "/api/requests/<id>", "method": "GET", "status": "404"}
    assert more("localfn_http_request_seconds_count", **labels) == 2
    runtime.http.request("PROPFIND", "/api/nowhere")
    assert (
        increases(runtime, before)("localfn_http_request_seconds_count", route="(none)", method="other", status="404")
        == 1
    )


def test_totals_of_many_processes_add_up_and_survive_an_outage(engine: Engine) -> None:
    one, two = Counters(), Counters()
    for counters, took_s in ((one, 0.002), (two, 0.02), (two, 4000.0)):
        counters.observe(metrics.RUN, took_s, "f")
        counters.count(metrics.RECONCILER, "rang", by=2)
    away = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    metric_store.flush(away, two)  # Kept.
    away.dispose()
    metric_store.flush(engine, one)
    metric_store.flush(engine, two)
    metric_store.flush(engine, two)  # Nothing new.

    with engine.connect() as connection:
        found = metric_store.read(connection)
    assert found[metrics.RECONCILER.name, ("rang",)] == [6]
    run = found[metrics.RUN.name, ("f",)]
    assert (sum(run[:-1]), run[1], run[3], run[-2], run[-1]) == (3, 1, 1, 1, 4000.022)


def test_functions_beyond_a_limit_share_a_label() -> None:
    counters = Counters()
    labels = {counters._label(f"f{number}") for number in range(1000)}
    assert len(labels) == 201
    assert "other" in labels
