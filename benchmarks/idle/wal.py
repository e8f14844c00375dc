"""Read what an embedded PostgreSQL wrote to its WAL, and the number of its transactions."""

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

from infra.config.database_url import for_libpq
from infra.embedded.postgres import Postgres, find_program

RECORD = re.compile(r"rmgr: (\S+) +len \(rec/tot\): +\d+/ +(\d+),.* desc: (\S+)")
RELATION = re.compile(r"rel \d+/(\d+)/(\d+)")
POSITION = "SELECT pg_current_wal_insert_lsn()::text"
TRANSACTIONS = "SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database"
NAMES = """
    SELECT d.oid::text, pg_relation_filenode(c.oid)::text, relname FROM pg_class c, pg_database d
    WHERE relkind IN ('r', 'i', 't') AND datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Position:
    """Hold a position in the WAL, and the number of transactions until then."""

    lsn: str
    transactions: int


def read_position(home: Path, *, with_checkpoint: bool = False) -> Position:
    """Return the current position.

    with_checkpoint: after a checkpoint, so that what follows contains the full-page images of a whole checkpoint cycle.
    """
    with psycopg.connect(for_libpq(Postgres(home).url), autocommit=True) as connection:
        if with_checkpoint:
            connection.execute("CHECKPOINT")
        transactions = connection.execute(TRANSACTIONS).fetchone()
        lsn = connection.execute(POSITION).fetchone()
    assert lsn is not None
    assert transactions is not None
    return Position(lsn[0], transactions[0])


def bytes_by_writer(home: Path, start: Position, end: Position) -> Counter[str]:
    """Return the bytes of WAL records between two positions, by table or index and kind of record."""
    with psycopg.connect(for_libpq(Postgres(home).url), autocommit=True) as connection:
        names = {(database, node): name for database, node, name in connection.execute(NAMES)}
    command = [
        str(find_program("pg_waldump")),
        f"--path={Postgres(home).data / 'pg_wal'}",
        "-s",
        start.lsn,
        "-e",
        end.lsn,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        if record := RECORD.match(line):
            relation = RELATION.search(line)
            # Another database has number 1 (template1), shared tables have 0.
            name = names.get((relation[1], relation[2]), relation[0]) if relation else record[1]
            image = ", with page" if " FPW" in line else ""
            found[f"{name} {record[3]}{image}"] += int(record[2])
    return found


def distance(start: Position, end: Position) -> int:
    """Return the bytes between two positions."""
    return _number(end.lsn) - _number(start.lsn)


def _number(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)
