"""Query the tables of localfn or of the peers: how many requests are done, and whether all are right."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Tables:
    """Name the two tables of a contestant; both pairs have the columns that the queries read."""

    request: LiteralString
    result: LiteralString


PEERS = Tables("peer_request", "peer_result")
OURS = Tables("processing_request", "processing_result")

OUTCOME = sql.SQL(
    """
    SELECT count(*),
           count(*) FILTER (
               WHERE r.status = 'completed' AND r.attempt = 1 AND s.data::jsonb = r.event::jsonb
                     AND r.started_at <= r.finished_at),
           min(r.started_at), max(r.finished_at)
    FROM {request} r LEFT JOIN {result} s ON s.request_id = r.id
    """
)
LEFT = sql.SQL("SELECT count(*) FROM {request} WHERE status IN ('pending', 'processing')")
STATUS = sql.SQL("SELECT status FROM {request} WHERE id = %s")
EMPTY = sql.SQL("TRUNCATE {request} CASCADE")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold the outcome of a drain.

    total: requests. right: requests completed at the first attempt, with the function's result.
    first_claim, last_finish: start and end of the measured time.
    """

    total: int
    right: int
    first_claim: datetime | None
    last_finish: datetime | None

    @property
    def took_s(self) -> float:
        assert self.first_claim is not None, "nothing was claimed"
        assert self.last_finish is not None, "nothing was finished"
        return (self.last_finish - self.first_claim).total_seconds()


class Rows:
    """Reads the rows of one contestant, through a connection of its own."""

    def __init__(self, database_url: str, tables: Tables) -> None:
        self.connection = psycopg.connect(database_url, autocommit=True, prepare_threshold=0)
        self._tables = {"request": sql.Identifier(tables.request), "result": sql.Identifier(tables.result)}
        self._status = STATUS.format(**self._tables)

    def close(self) -> None:
        self.connection.close()

    def empty(self) -> None:
        self.connection.execute(EMPTY.format(**self._tables))

    def left(self) -> int:
        """Return the number of requests that have not ended."""
        return int(self._fetch_row(LEFT)[0])

    def outcome(self) -> Outcome:
        return Outcome(*self._fetch_row(OUTCOME))

    def is_completed(self, request_id: str) -> bool:
        row = self.connection.execute(self._status, (request_id,)).fetchone()
        return row is not None and row[0] == "completed"

    def _fetch_row(self, question: sql.SQL) -> Any:
        return self.connection.execute(question.format(**self._tables)).fetchone()
