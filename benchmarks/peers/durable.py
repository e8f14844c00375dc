"""The durable path that a peer's task takes: claim the row, run the function, store result and `completed` together.

As lean as it can be written by hand: one round trip to claim and one to finish. Each is a single prepared statement
that is its own transaction, so neither BEGIN nor COMMIT travels.
"""

import json
import os
import threading
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.peers.measured import FUNCTIONS

DATABASE_URL = "PEERS_DATABASE_URL"
REDIS_URL = "PEERS_REDIS_URL"

TABLES = """
    CREATE TABLE IF NOT EXISTS peer_request (
        id uuid PRIMARY KEY,
        function text NOT NULL,
        event json NOT NULL,
        status text NOT NULL DEFAULT 'pending',
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz,
        finished_at timestamptz,
        worker text,
        attempt integer NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS peer_result (
        request_id uuid PRIMARY KEY REFERENCES peer_request ON DELETE CASCADE,
        data json NOT NULL,
        created_at timestamptz NOT NULL
    );
"""

# A claim that a crash of PostgreSQL forgets leaves the request pending, which is as good: its commit does not wait for
# the disk. set_config in the statement saves a round trip for SET LOCAL; it holds until this transaction has committed.
CLAIM = """
    UPDATE peer_request
    SET status = 'processing', attempt = attempt + 1, worker = %(worker)s, started_at = clock_timestamp()
    WHERE id = ANY(%(ids)s::uuid[]) AND status = 'pending'
    RETURNING id::text, attempt, function, event, set_config('synchronous_commit', 'off', true)
"""
CLAIM_ONE = CLAIM.replace("= ANY(%(ids)s::uuid[])", "= %(id)s::uuid")

FINISH_ONE = """
    WITH finished AS (
        UPDATE peer_request SET status = 'completed', finished_at = clock_timestamp()
        WHERE id = %(id)s::uuid AND status = 'processing' AND attempt = %(attempt)s
        RETURNING id
    )
    INSERT INTO peer_result (request_id, data, created_at)
    SELECT id, %(data)s::json, clock_timestamp() FROM finished
"""
FINISH = """
    WITH ended AS (
        SELECT * FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[], %(data)s::text[]) AS t (id, attempt, data)
    ), finished AS (
        UPDATE peer_request r SET status = 'completed', finished_at = clock_timestamp()
        FROM ended WHERE r.id = ended.id AND r.status = 'processing' AND r.attempt = ended.attempt
        RETURNING r.id, ended.data
    )
    INSERT INTO peer_result (request_id, data, created_at) SELECT id, data::json, clock_timestamp() FROM finished
"""

_local = threading.local()


class LostError(Exception):
    """Somebody else has finished what this worker claimed."""


def perform(request_id: str) -> None:
    """What a task does with the one thing that its message carries. A second delivery finds nothing to claim."""
    connection = connected()
    claimed = connection.execute(CLAIM_ONE, {"id": request_id, "worker": _worker()}).fetchone()
    if claimed is None:
        return
    _, attempt, function, event, _ = claimed
    data = _dumped(FUNCTIONS[function](event))
    finished = connection.execute(FINISH_ONE, {"id": request_id, "attempt": attempt, "data": data})
    if finished.rowcount != 1:
        raise LostError(request_id)


def perform_many(request_ids: Sequence[str]) -> None:
    """The same for a batch: one transaction claims all, the functions run one by one, one transaction finishes all."""
    connection = connected()
    claimed = connection.execute(CLAIM, {"ids": list(request_ids), "worker": _worker()}).fetchall()
    if not claimed:
        return
    ids, attempts, functions, events, _ = zip(*claimed, strict=True)
    data = [_dumped(FUNCTIONS[function](event)) for function, event in zip(functions, events, strict=True)]
    finished = connection.execute(FINISH, {"ids": list(ids), "attempts": list(attempts), "data": data})
    if finished.rowcount != len(ids):
        raise LostError(", ".join(ids))


def connected() -> psycopg.Connection[Any]:
    """This thread's connection; a forked child makes its own."""
    if getattr(_local, "pid", None) != os.getpid():
        _local.connection = psycopg.connect(os.environ[DATABASE_URL], autocommit=True, prepare_threshold=0)
        _local.pid = os.getpid()
    connection: psycopg.Connection[Any] = _local.connection
    return connection


def _worker() -> str:
    return f"{os.getpid()}-{threading.get_ident()}"


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
