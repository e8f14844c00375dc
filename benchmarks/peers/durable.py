"""Run the durable path of a peer's task: claim the row, run the function, store result and `completed` together.

There are two variants. "lean" has the fewest round trips, one to claim and one to finish: each is one prepared
statement and its own transaction, without BEGIN and COMMIT. "usual" is how tasks are written: an UPDATE claims and
commits; then one transaction does an INSERT and an UPDATE.
"""

import json
import os
import threading
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from benchmarks.peers.report.measured import FUNCTIONS

DATABASE_URL = "PEERS_DATABASE_URL"
REDIS_URL = "PEERS_REDIS_URL"
WAY = "PEERS_WAY"
WAYS = ("lean", "usual")

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

# The commit of a claim does not wait for the disk: if a crash of PostgreSQL loses it, the request is pending again.
# set_config in the statement saves the round trip of SET LOCAL; it holds until the end of this transaction.
CLAIM = """
    UPDATE peer_request
    SET status = 'processing', attempt = attempt + 1, worker = %(worker)s, started_at = clock_timestamp()
    WHERE id = ANY(%(ids)s::uuid[]) AND status = 'pending'
    RETURNING id::text, attempt, function, event, set_config('synchronous_commit', 'off', true)
"""
CLAIM_ONE = CLAIM.replace("= ANY(%(ids)s::uuid[])", "= %(id)s::uuid")
USUAL_CLAIM = CLAIM.replace("set_config('synchronous_commit', 'off', true)", "NULL")
USUAL_CLAIM_ONE = CLAIM_ONE.replace("set_config('synchronous_commit', 'off', true)", "NULL")

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
USUAL_STORE_ONE = "INSERT INTO peer_result (request_id, data, created_at) VALUES (%(id)s, %(data)s, clock_timestamp())"
USUAL_COMPLETE_ONE = """
    UPDATE peer_request SET status = 'completed', finished_at = clock_timestamp()
    WHERE id = %(id)s::uuid AND status = 'processing' AND attempt = %(attempt)s
"""
USUAL_STORE = """
    INSERT INTO peer_result (request_id, data, created_at)
    SELECT id, data::json, clock_timestamp() FROM unnest(%(ids)s::uuid[], %(data)s::text[]) AS t (id, data)
"""
USUAL_COMPLETE = """
    UPDATE peer_request r SET status = 'completed', finished_at = clock_timestamp()
    FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[]) AS ended (id, attempt)
    WHERE r.id = ended.id AND r.status = 'processing' AND r.attempt = ended.attempt
"""

_local = threading.local()


class LostError(Exception):
    """Report a claimed request that another worker finished."""


def perform(request_id: str) -> None:
    """Run the request of a message. A second delivery finds nothing to claim."""
    connection, is_lean = connected(), _is_lean()
    claim = CLAIM_ONE if is_lean else USUAL_CLAIM_ONE
    claimed = connection.execute(claim, {"id": request_id, "worker": _worker()}).fetchone()
    if claimed is None:
        return
    _, attempt, function, event, _ = claimed
    data = _dumped(FUNCTIONS[function](event))
    statements = (FINISH_ONE,) if is_lean else (USUAL_STORE_ONE, USUAL_COMPLETE_ONE)
    if _finish(connection, statements, {"id": request_id, "attempt": attempt, "data": data}) != 1:
        raise LostError(request_id)


def perform_many(request_ids: Sequence[str]) -> None:
    """Run a batch: one transaction claims all, the functions run one by one, one transaction finishes all."""
    connection, is_lean = connected(), _is_lean()
    claim = CLAIM if is_lean else USUAL_CLAIM
    claimed = connection.execute(claim, {"ids": list(request_ids), "worker": _worker()}).fetchall()
    if not claimed:
        return
    ids, attempts, functions, events, _ = zip(*claimed, strict=True)
    data = [_dumped(FUNCTIONS[function](event)) for function, event in zip(functions, events, strict=True)]
    statements = (FINISH,) if is_lean else (USUAL_STORE, USUAL_COMPLETE)
    if _finish(connection, statements, {"ids": list(ids), "attempts": list(attempts), "data": data}) != len(ids):
        raise LostError(", ".join(ids))


def _finish(connection: psycopg.Connection[Any], statements: Sequence[LiteralString], values: dict[str, Any]) -> int:
    """Run the statements in one transaction; return the row count of the last one."""
    if len(statements) == 1:
        return connection.execute(statements[0], values).rowcount
    with connection.transaction():
        return [connection.execute(statement, values).rowcount for statement in statements][-1]


def _is_lean() -> bool:
    return os.environ[WAY] == "lean"


def connected() -> psycopg.Connection[Any]:
    """Return the connection of this thread; a forked child opens a new one."""
    if getattr(_local, "pid", None) != os.getpid():
        _local.connection = psycopg.connect(os.environ[DATABASE_URL], autocommit=True, prepare_threshold=0)
        _local.pid = os.getpid()
    connection: psycopg.Connection[Any] = _local.connection
    return connection


def _worker() -> str:
    return f"{os.getpid()}-{threading.get_ident()}"


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
