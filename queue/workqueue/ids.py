"""Ids of requests, and of the RQ jobs that ring for them.

A request id sorts by time (RFC 9562, UUIDv7): its index also serves queries by time.
"""

import re
from datetime import datetime
from uuid import UUID

MAX_MILLISECONDS = 2**48 - 1
JOB_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d{1,9}")


def job_id(request_id: UUID, attempt: int) -> str:
    """Return the id of the RQ job that rings for an attempt. The claim's SQL composes the same (lifecycle/claim.py)."""
    return f"{request_id}-{attempt}"


def request_id_of(job_id: str) -> UUID | None:
    """Return the request that a job rings for; None if the job is not a bell."""
    match = JOB_ID.fullmatch(job_id)
    return UUID(match[1]) if match else None


def first_id(moment: datetime, shift_s: float = 0.0) -> UUID:
    """Return the lowest id of the millisecond `shift_s` seconds after a moment."""
    milliseconds = int((moment.timestamp() + shift_s) * 1000)
    return UUID(int=min(max(milliseconds, 0), MAX_MILLISECONDS) << 80)
