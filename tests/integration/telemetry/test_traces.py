"""Collect one trace from the client's span through submit, wait, attempts and phases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import StartRuntime
from tests.integration.workers.running_requests import worker_of
from tests.support.otlp_collector import Collector, run_collector
from tests.support.processes import children_of, read_each
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def traced_runtime(start_runtime: StartRuntime) -> Iterator[tuple[Runtime, Collector]]:
    with run_collector() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "LOCALFN_LEASE_SECONDS": "3",
        }
        with start_runtime(settings=settings) as runtime:
            yield runtime, collector


def wait_for_trace(collector: Collector, trace_id: str, function: str) -> dict[str, Any]:
    """Return the trace's spans once those of the submit and of the result's phases have arrived."""
    return wait_until(
        lambda: found if {f"submit {function}", "save"} <= (found := collector.of(trace_id)).keys() else None,
        20,
        "the trace is complete",
    )


def test_a_trace_leads_from_the_client_to_each_phase(traced_runtime: tuple[Runtime, Collector]) -> None:
    runtime, collector = traced_runtime
    request = runtime.call("tell_trace", {}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert request["status"] == "completed"
    spans = wait_for_trace(collector, TRACE, "tell_trace")

    submit = spans["submit tell_trace"]
    assert submit.parent_span_id.hex() == PARENT
    for name in ("wait", "attempt tell_trace"):
        assert [span.parent_span_id for span in collector.all_of(TRACE, name)] == [submit.span_id] * 2, name
    _, second = collector.all_of(TRACE, "attempt tell_trace")
    for name in ("validate", "process", "save", "cleanup"):
        assert spans[name].parent_span_id == second.span_id, name
        assert second.start_time_unix_nano <= spans[name].start_time_unix_nano
        assert spans[name].end_time_unix_nano <= second.end_time_unix_nano
    attributes = {each.key: each.value for each in second.attributes}
    assert attributes["localfn.request_id"].string_value == request["id"]
    assert attributes["localfn.outcome"].string_value == "completed"
    ids = [span.span_id for span in collector.spans]
    assert len(ids) == len(set(ids))


def test_a_retry_links_to_the_failed_attempt_with_its_error(traced_runtime: tuple[Runtime, Collector]) -> None:
    runtime, collector = traced_runtime
    trace_id = TRACE.replace("4", "5")
    runtime.call("tell_trace", {}, headers={"traceparent": f"00-{trace_id}-{PARENT}-01"})
    wait_for_trace(collector, trace_id, "tell_trace")

    first, second = collector.all_of(trace_id, "attempt tell_trace")
    assert [link.span_id for link in second.links] == [first.span_id]
    assert (first.status.code, first.status.message) == (2, "ConnectionError: the line is busy")
    assert second.status.code == 1


def test_the_pool_exports_the_span_of_a_lost_attempt(traced_runtime: tuple[Runtime, Collector], tmp_path: Path) -> None:
    runtime, collector = traced_runtime
    trace_id = TRACE.replace("4", "8")
    event = {"ledger": str(tmp_path / "ledger"), "seconds": 3}
    request = runtime.post("sleep_and_note", event, headers={"traceparent": f"00-{trace_id}-{PARENT}-01"})

    def is_at_work() -> bool:
        return any(len(attempt["phases"]) == 2 for attempt in runtime.attempts(request["id"]))

    wait_until(is_at_work, 20, "it is seen at work")
    worker_of(runtime, request["id"]).kill()
    assert runtime.wait_ended(request["id"])["attempt"] == 2
    spans = wait_for_trace(collector, trace_id, "sleep_and_note")
    wait_until(lambda: len(collector.all_of(trace_id, "process")) == 2, 20, "another process has exported its spans")

    lost, second = collector.all_of(trace_id, "attempt sleep_and_note")
    assert lost.status.code == 2
    assert lost.status.message.startswith("WorkerLost: The worker ")
    assert [link.span_id for link in second.links] == [lost.span_id]
    submitted = spans["submit sleep_and_note"]
    assert lost.parent_span_id == submitted.span_id
    exporters = [collector.processes[span.span_id] for span in (submitted, lost, second)]
    assert exporters == ["web", "worker", "worker"]
    for name, code in (("validate", 1), ("process", 2)):
        first = collector.all_of(trace_id, name)[0]
        assert (first.parent_span_id, first.status.code) == (lost.span_id, code)
        assert first.end_time_unix_nano <= lost.end_time_unix_nano <= second.start_time_unix_nano


def test_user_code_can_read_its_place_in_the_trace(traced_runtime: tuple[Runtime, Collector]) -> None:
    runtime, collector = traced_runtime
    trace_id = TRACE.replace("4", "6")
    found = runtime.result("tell_trace", {}, headers={"traceparent": f"00-{trace_id}-{PARENT}-01"})
    wait_for_trace(collector, trace_id, "tell_trace")

    process = collector.all_of(trace_id, "process")[-1]
    assert found == f"00-{trace_id}-{process.span_id.hex()}-01"


def test_a_request_without_a_traceparent_starts_a_trace_with_its_id(traced_runtime: tuple[Runtime, Collector]) -> None:
    runtime, collector = traced_runtime
    request = runtime.call("echo", {}, headers={"traceparent": "00-nonsense"})
    spans = wait_for_trace(collector, UUID(request["id"]).hex, "echo")
    assert spans["submit echo"].parent_span_id == b""


def test_a_scheduled_request_is_a_trace_without_a_submit(traced_runtime: tuple[Runtime, Collector]) -> None:
    runtime, collector = traced_runtime
    body = {"name": "traced", "function": "echo", "expression": "@yearly"}
    assert runtime.http.post("/api/schedules", json=body).status_code == 201
    request = runtime.http.post("/api/schedules/traced/run").json()
    trace_id = UUID(request["id"]).hex
    spans = wait_until(lambda: found if "save" in (found := collector.of(trace_id)) else None, 20, "it is reported")
    assert spans["attempt echo"].parent_span_id == b""
    assert "submit echo" not in spans


def test_unsampled_traces_are_not_exported(traced_runtime: tuple[Runtime, Collector]) -> None:
    runtime, collector = traced_runtime
    trace_id = TRACE.replace("4", "7")
    runtime.call("echo", {}, headers={"traceparent": f"00-{trace_id}-{PARENT}-00"})
    request = runtime.call("echo", {})
    wait_for_trace(collector, UUID(request["id"]).hex, "echo")
    assert collector.of(trace_id) == {}


def has_loaded_protobuf(runtime: Runtime) -> list[bool]:
    """Detect protobuf, the exporter's only native library, and so the only one visible from outside."""
    mains = [process.pid for process in runtime.processes.values()]
    below = [child.pid for main in mains for child in children_of(main, recursive=True)]
    return read_each(mains + below, lambda process: "_upb" in Path(f"/proc/{process.pid}/maps").read_text())


def test_the_exporter_is_not_loaded_without_an_endpoint(
    runtime: Runtime, traced_runtime: tuple[Runtime, Collector]
) -> None:
    assert runtime.result("tell_trace", {}).startswith("00-")
    assert not any(has_loaded_protobuf(runtime))
    assert any(has_loaded_protobuf(traced_runtime[0]))
