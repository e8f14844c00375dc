"""Ids sort by time (RFC 9562, UUIDv7): their index serves for times, too."""

from datetime import datetime
from uuid import UUID

MOST_MILLISECONDS = 2**48 - 1


def first_id(moment: datetime, shift_s: float = 0.0) -> UUID:
    """The lowest id of the millisecond so long after a moment."""
    milliseconds = int((moment.timestamp() + shift_s) * 1000)
    return UUID(int=min(max(milliseconds, 0), MOST_MILLISECONDS) << 80)
