"""W3C Trace Context: which trace a request belongs to, and the ids of its spans. Pure.

The ids follow from the request and the attempt, so that whoever has to name a span (the worker that runs it, user code
that calls on, another process that links to it) knows its id without having been told. A request without a traceparent
is a trace of its own, whose id is the request's.
"""

import hashlib
import re
from dataclasses import dataclass
from uuid import UUID

from schema.statuses import Phase
from workqueue.lifecycle.values import Claim

PATTERN = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """parent: the client's span; 0 without one."""

    trace_id: int
    parent: int
    is_sampled: bool = True


def valid_traceparent(header: str | None) -> str | None:
    """A traceparent header that can be kept; anything else is as good as none (W3C Trace Context, section 4.3)."""
    return header if header is not None and PATTERN.fullmatch(header) else None


def context_of_request(request_id: UUID, traceparent: str | None) -> TraceContext:
    found = PATTERN.fullmatch(traceparent or "")
    if found is None:
        return TraceContext(request_id.int, 0)
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & 1))


def span_id(request_id: UUID, name: str) -> int:
    """The id of a span of a request: `submit`, or an attempt's `3`, or `3/process` for a phase of it."""
    return int.from_bytes(hashlib.blake2b(f"{request_id}/{name}".encode(), digest_size=8).digest()) or 1


def make_traceparent(context: TraceContext, span: int) -> str:
    return f"00-{context.trace_id:032x}-{span:016x}-{'01' if context.is_sampled else '00'}"


def traceparent_for_user_code(claim: Claim) -> str:
    """The traceparent of an attempt's phase `process`: what the function does for others is part of it."""
    context = context_of_request(claim.request_id, claim.traceparent)
    return make_traceparent(context, span_id(claim.request_id, f"{claim.attempt}/{Phase.PROCESS}"))
