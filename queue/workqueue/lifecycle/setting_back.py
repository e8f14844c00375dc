"""The database's clock was set back: what lies ahead by the old one would last that much longer."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, text

# Whoever lives extends its lease by the new clock within a second; of whoever does not, it is to lapse as usual.
# Rows are locked in the order of their ids, as everywhere.
SHORTEN = text(
    """
    UPDATE processing_request SET lease_expires_at = :latest WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request WHERE status = 'processing' AND lease_expires_at > :latest
        ORDER BY id FOR UPDATE
    ))
    """
)
# Between two attempts only: the time that a client asked for, and was told, is one of the wall clock, and stays.
HASTEN = text(
    """
    UPDATE processing_request SET available_at = available_at - make_interval(secs => :by_s) WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request
        WHERE status = 'pending' AND attempt > 0 AND rung_at IS NULL AND available_at > :now
        ORDER BY id FOR UPDATE
    ))
    """
)


def adjust_for_clock_step(engine: Engine, now: datetime, by_s: float, lease_s: float) -> None:
    """Leases end `lease_s` from now at the latest, and pauses between attempts when they would have.

    by_s: how far the clock was set back; 0 where only that is known which lies ahead. Bells that were rung at a time
    ahead are found by `unanswered`, and what was rung for is claimed at any time.
    """
    with engine.begin() as connection:
        connection.execute(SHORTEN, {"latest": now + timedelta(seconds=lease_s)})
        if by_s:
            connection.execute(HASTEN, {"now": now, "by_s": by_s})
