"""Check metrics in memory that forked processes share: each writes its slot, all slots are read as one."""

import os

from flask import Flask

from handlers.http.request_metrics import MAX_SERIES, NO_ROUTE, RequestMetrics

LABELS = ("/api/functions/<name>", "POST", "202")


def make_metrics() -> RequestMetrics:
    app = Flask("t", static_folder=None)
    app.add_url_rule(LABELS[0], "f", lambda name: name)
    calls = RequestMetrics()
    calls.install(app)
    calls.number_routes(app)
    return calls


def counts(calls: RequestMetrics) -> dict[tuple[str, ...], float]:
    (family,) = calls.collect()
    return {
        tuple(sample.labels[name] for name in ("route", "method", "status")): sample.value
        for sample in family.samples
        if sample.name.endswith("_count")
    }


def test_metrics_are_summed_over_processes_and_outlive_them() -> None:
    calls = make_metrics()
    for slot, times in ((1, 2), (2, 3)):
        pid = os.fork()
        if not pid:
            calls.use_slot(slot)
            for _ in range(times):
                calls.observe(LABELS, 0.003)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    assert counts(calls) == {LABELS: 5}
    # A process in the slot of an ended process continues from its numbers.
    calls.use_slot(1)
    calls.observe(LABELS, 100)
    calls.observe((NO_ROUTE, "other", "404"), 0.0)
    assert counts(calls) == {LABELS: 6, (NO_ROUTE, "other", "404"): 1}
    (family,) = calls.collect()
    buckets = {
        sample.labels["le"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["route"] == LABELS[0]
    }
    assert (buckets["0.002"], buckets["0.005"], buckets["60.0"], buckets["+Inf"]) == (0, 5, 5, 6)


def test_unknown_labels_share_one_series() -> None:
    calls = make_metrics()
    for number in range(2 * MAX_SERIES):
        calls.observe((f"/{number}", "GET", "799"), 0.001)
    assert counts(calls) == {(NO_ROUTE, "GET", "500"): 2 * MAX_SERIES}
