"""Store the metrics of the whole installation: each process adds its counts to one row per metric and labels.

So /metrics of every web process covers all workers on all machines, and a counter never decreases when a process ends.
SIGKILL loses the counts since the last heartbeat: at most 4 s.
"""

import json
import logging
from collections.abc import Mapping

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.engine import autocommit
from workqueue.database import error_summary, is_outage
from workqueue.telemetry.counters import Counters, Key

log = logging.getLogger(__name__)

# In the order of the keys, so that two processes that add to the same rows do not deadlock. With a short lock timeout,
# because a worker can add its counts the next time. In one statement, so that a frozen process holds no row lock.
ADD = text(
    """
    INSERT INTO metric_total AS m (name, labels, values)
    SELECT name, labels, ARRAY(SELECT json_array_elements_text(d.values)::float8)
    FROM json_to_recordset(CAST(:rows AS json)) AS d (name text, labels text, values json),
         set_config('synchronous_commit', 'off', true) AS sync, set_config('lock_timeout', '200ms', true) AS timeout
    ORDER BY name, labels
    ON CONFLICT (name, labels) DO UPDATE SET values = ARRAY(
        SELECT coalesce(a, 0) + coalesce(b, 0)
        FROM unnest(m.values, excluded.values) WITH ORDINALITY AS u (a, b, index) ORDER BY index)
    """
)
READ = text("SELECT name, labels, values FROM metric_total ORDER BY name, labels")


def flush(engine: Engine, counters: Counters) -> None:
    """Add the counts to the stored metrics. After an error the counts are kept for the next call."""
    if not (counted := counters.take()):
        return
    try:
        with autocommit(engine) as connection:
            connection.execute(ADD, {"rows": json.dumps(_rows(counted))})
    except (DBAPIError, PoolTimeoutError) as error:
        counters.put_back(counted)
        level = logging.DEBUG if is_outage(error) else logging.WARNING
        log.log(level, "metrics not stored", extra={"error": error_summary(error)})


def _rows(counted: Mapping[Key, list[float]]) -> list[dict[str, object]]:
    return [
        {"name": name, "labels": json.dumps(labels), "values": values} for (name, labels), values in counted.items()
    ]


def read(connection: Connection) -> dict[Key, list[float]]:
    """Return the stored values by metric and labels."""
    return {(row.name, tuple(json.loads(row.labels))): row.values for row in connection.execute(READ)}
