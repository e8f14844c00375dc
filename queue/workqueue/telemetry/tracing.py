"""Spans of requests, told to an OpenTelemetry collector once they are over. Imported only where an endpoint is set.

Below the client's span stands submit, and in it, for each attempt, the wait and the attempt with its phases; an attempt
links to the one before. What a schedule made has no submit. Spans are made of the times that were noted anyway, and
sent by a thread of the exporter's, which drops them when the collector is away: nobody waits for it.
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
    """One per process. service: told as service.name unless OTEL_SERVICE_NAME says otherwise."""

    def __init__(self, service: str) -> None:
        self._resource = Resource.create({"service.name": "localfn", "localfn.process_state": service})
        self._processor = BatchSpanProcessor(OTLPSpanExporter())

    def submitted(
        self, request_id: UUID, function: str, traceparent: str | None, began: datetime, ended: datetime
    ) -> None:
        """The request is stored, and its bell rung."""
        span = _Spans(request_id, function, context_of_request(request_id, traceparent))
        self._tell([span.made(SUBMIT, f"submit {function}", None, began, ended, SpanKind.PRODUCER)])

    def ended(self, settled: Sequence[AttemptFinished], now: datetime) -> None:
        for each in settled:
            self._tell(_spans(each.claim, each.record, each.status, now))

    def lost(self, lapsed: Sequence[ExpiredLease], now: datetime) -> None:
        for each in lapsed:
            self._tell(_spans(each, each.record, each.status, now))

    def close(self) -> None:
        """Sends what is left."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _tell(self, spans: Iterable["_Made"]) -> None:
        for span in spans:
            self._processor.on_end(span.readable(self._resource))


class _Made:
    """A span, but for the resource."""

    def __init__(self, **values: object) -> None:
        self._values = values

    def readable(self, resource: Resource) -> ReadableSpan:
        return ReadableSpan(resource=resource, instrumentation_scope=SCOPE, **self._values)  # type: ignore[arg-type]


class _Spans:
    """Makes those of one request."""

    def __init__(self, request_id: UUID, function: str, context: TraceContext) -> None:
        self.request_id, self.function, self.context = request_id, function, context

    def place(self, name: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED if self.context.is_sampled else TraceFlags.DEFAULT)
        return SpanContext(self.context.trace_id, span_id(self.request_id, name), is_remote=True, trace_flags=flags)

    def client(self) -> SpanContext | None:
        if not self.context.parent:
            return None
        return SpanContext(self.context.trace_id, self.context.parent, is_remote=True)

    def made(
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
    ) -> _Made:
        """parent: the id of another span of the request; None for the client's."""
        known = {f"localfn.{key}": value for key, value in attributes.items() if value is not None}
        return _Made(
            name=name,
            context=self.place(id),
            parent=self.place(parent) if parent else self.client(),
            kind=kind,
            start_time=_ns(began),
            end_time=_ns(max(began, ended)),
            status=Status(StatusCode.ERROR, error) if error is not None else Status(StatusCode.OK),
            links=links,
            attributes={"localfn.request_id": str(self.request_id), "localfn.function": self.function} | known,
        )


def _spans(claim: Claim | ExpiredLease, record: AttemptRecord, status: RequestStatus, now: datetime) -> Iterable[_Made]:
    make = _Spans(claim.request_id, claim.function_name, context_of_request(claim.request_id, claim.traceparent))
    number = claim.attempt
    error = None if record.outcome in NO_ERROR else f"{record.error_type}: {record.error_message}"
    above = SUBMIT if claim.schedule is None else None
    yield make.made(f"{number}/wait", "wait", above, claim.available_at, claim.claimed_at, queue=claim.queue)
    yield make.made(
        str(number),
        f"attempt {claim.function_name}",
        above,
        claim.claimed_at,
        now,
        SpanKind.CONSUMER,
        error=error,
        links=[Link(make.place(str(number - 1)))] if number > 1 else (),
        attempt=number,
        worker=claim.worker,
        outcome=record.outcome,
        status=status,
        schedule=claim.schedule,
        cold_start=record.cold_start,
    )
    for phase in record.phases:
        name, began = phase["phase"], datetime.fromisoformat(phase["started_at"])
        ended = datetime.fromisoformat(phase["finished_at"]) if "finished_at" in phase else now  # cut off by the loss
        is_well = phase.get("outcome") in ("ok", Outcome.CANCELLED)
        wrong = None if is_well else str(phase.get("error") or phase.get("outcome") or error)
        yield make.made(f"{number}/{name}", name, str(number), began, ended, error=wrong, attempt=number)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
