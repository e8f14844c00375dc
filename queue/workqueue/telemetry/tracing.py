"""Send spans of requests to an OpenTelemetry collector after their end. Imported only if an endpoint is configured.

The client's span contains `submit`, which contains, for each attempt, the wait and the attempt with its phases. An
attempt links to the one before. A request of a schedule has no `submit`. Spans are made from stored times. The
exporter's thread sends them, and drops them when the collector is unavailable: no request waits for it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from uuid import UUID

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from schema.statuses import Outcome
from schema.statuses import Status as RequestStatus
from workqueue.lifecycle import AttemptRecord, Claim, ExpiredLease
from workqueue.telemetry import AttemptFinished
from workqueue.telemetry.trace_context import TraceContext, context_of_request, span_id

SUBMIT = "submit"
NO_ERROR = (Outcome.COMPLETED, Outcome.CANCELLED)
SCOPE = InstrumentationScope("localfn", version("localfn"))


class Tracer:
    """The tracer of a process. service: the name of the process, an attribute of the resource."""

    def __init__(self, service: str) -> None:
        self._resource = Resource.create({"service.name": "localfn", "localfn.process": service})
        self._processor = BatchSpanProcessor(OTLPSpanExporter())

    def on_submitted(
        self, request_id: UUID, function: str, traceparent: str | None, began: datetime, ended: datetime
    ) -> None:
        """Send the span of a submission."""
        spans = _SpanFactory(request_id, function, context_of_request(request_id, traceparent))
        self._send([spans.make(SUBMIT, f"submit {function}", None, began, ended, SpanKind.PRODUCER)])

    def on_finished(self, finished: Sequence[AttemptFinished], now: datetime) -> None:
        """Send the spans of finished attempts."""
        for each in finished:
            self._send(_spans(each.claim, each.record, each.status, now))

    def on_lost(self, expired: Sequence[ExpiredLease], now: datetime) -> None:
        """Send the spans of lost attempts."""
        for each in expired:
            self._send(_spans(each, each.record, each.status, now))

    def close(self) -> None:
        """Send the remaining spans."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _send(self, spans: Iterable["_Span"]) -> None:
        for span in spans:
            self._processor.on_end(span.readable(self._resource))


class _Span:
    """A span without its resource."""

    def __init__(self, **values: object) -> None:
        self._values = values

    def readable(self, resource: Resource) -> ReadableSpan:
        return ReadableSpan(resource=resource, instrumentation_scope=SCOPE, **self._values)  # type: ignore[arg-type]


class _SpanFactory:
    """Make the spans of one request."""

    def __init__(self, request_id: UUID, function: str, context: TraceContext) -> None:
        self.request_id, self.function, self.context = request_id, function, context

    def context_of(self, name: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED if self.context.is_sampled else TraceFlags.DEFAULT)
        return SpanContext(self.context.trace_id, span_id(self.request_id, name), is_remote=True, trace_flags=flags)

    def client_context(self) -> SpanContext | None:
        if not self.context.parent:
            return None
        return SpanContext(self.context.trace_id, self.context.parent, is_remote=True)

    def make(
        self,
        id: str,
        name: str,
        parent: str | None,
        began: datetime,
        ended: datetime,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        error: str | None = None,
        links: Sequence[Link] = (),
        **attributes: AttributeValue | None,
    ) -> _Span:
        """Return a span. parent: the id of another span of the request; None for the client's span."""
        given = {f"localfn.{key}": value for key, value in attributes.items() if value is not None}
        return _Span(
            name=name,
            context=self.context_of(id),
            parent=self.context_of(parent) if parent else self.client_context(),
            kind=kind,
            start_time=_ns(began),
            end_time=_ns(max(began, ended)),
            status=Status(StatusCode.ERROR, error) if error is not None else Status(StatusCode.OK),
            links=links,
            attributes={"localfn.request_id": str(self.request_id), "localfn.function": self.function} | given,
        )


def _spans(claim: Claim | ExpiredLease, record: AttemptRecord, status: RequestStatus, now: datetime) -> Iterable[_Span]:
    factory = _SpanFactory(
        claim.request_id, claim.function_name, context_of_request(claim.request_id, claim.traceparent)
    )
    number = claim.attempt
    error = None if record.outcome in NO_ERROR else f"{record.error_type}: {record.error_message}"
    parent = SUBMIT if claim.schedule is None else None
    yield factory.make(f"{number}/wait", "wait", parent, claim.available_at, claim.claimed_at, queue=claim.queue)
    yield factory.make(
        str(number),
        f"attempt {claim.function_name}",
        parent,
        claim.claimed_at,
        now,
        SpanKind.CONSUMER,
        error=error,
        links=[Link(factory.context_of(str(number - 1)))] if number > 1 else (),
        attempt=number,
        worker=claim.worker,
        outcome=record.outcome,
        status=status,
        schedule=claim.schedule,
        cold_start=record.cold_start,
    )
    for phase in record.phases:
        is_ok = phase.outcome in ("ok", Outcome.CANCELLED)
        phase_error = None if is_ok else str(phase.error or phase.outcome or error)
        ended = phase.ended or now
        yield factory.make(
            f"{number}/{phase.phase}", phase.phase, str(number), phase.began, ended, error=phase_error, attempt=number
        )


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
