"""W3C Trace Context: the trace of a request, and the ids of its spans. Pure.

The ids derive from the request and the attempt. So the worker, user code and other processes can refer to a span
without exchanging its id. A request without a traceparent is a trace of its own, with the request's id.
"""

import hashlib
import re
from dataclasses import dataclass
from uuid import UUID

from schema.statuses import Phase
from workqueue.lifecycle.attempt_data import Claim

PATTERN = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace of a request. parent: the client's span; 0 without one."""

    trace_id: int
    parent: int
    is_sampled: bool = True


def valid_traceparent(header: str | None) -> str | None:
    """Return a valid traceparent header; None for every other value (W3C Trace Context, section 4.3)."""
    return header if header is not None and PATTERN.fullmatch(header) else None


def context_of_request(request_id: UUID, traceparent: str | None) -> TraceContext:
    """Return the trace of a request, which is its own without a valid traceparent."""
    found = PATTERN.fullmatch(traceparent or "")
    if found is None:
        return TraceContext(request_id.int, 0)
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & 1))


def span_id(request_id: UUID, name: str) -> int:
    """Return the id of a span. name: `submit`, or `3` for an attempt, or `3/process` for a phase of it."""
    return int.from_bytes(hashlib.blake2b(f"{request_id}/{name}".encode(), digest_size=8).digest()) or 1


def make_traceparent(context: TraceContext, span: int) -> str:
    """Return the traceparent header for calls within a span."""
    return f"00-{context.trace_id:032x}-{span:016x}-{'01' if context.is_sampled else '00'}"


def traceparent_for_user_code(claim: Claim) -> str:
    """Return the traceparent of an attempt's phase `process`, for calls that the function makes."""
    context = context_of_request(claim.request_id, claim.traceparent)
    return make_traceparent(context, span_id(claim.request_id, f"{claim.attempt}/{Phase.PROCESS}"))
