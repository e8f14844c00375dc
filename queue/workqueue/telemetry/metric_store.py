"""The numbers of the whole installation: what each process counted is added to one row per metric and labels.

So /metrics of any web process tells of every worker on every machine, and a counter never goes back, whichever process
ends. What a process counted since its last sign of life is lost with a SIGKILL: four seconds at the most.
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

# In the order of the keys: two processes that add to the same rows wait for each other, and never in a circle, nor for
# long: whoever counts has something better to do, and adds it the next time. One statement is the whole transaction, so
# that a process which is frozen holds no row.
ADD = text(
    """
    INSERT INTO metric_total AS m (name, labels, values)
    SELECT name, labels, ARRAY(SELECT json_array_elements_text(d.values)::float8)
    FROM json_to_recordset(CAST(:rows AS json)) AS d (name text, labels text, values json),
         set_config('synchronous_commit', 'off', true) AS hurry, set_config('lock_timeout', '200ms', true) AS patience
    ORDER BY name, labels
    ON CONFLICT (name, labels) DO UPDATE SET values = ARRAY(
        SELECT coalesce(a, 0) + coalesce(b, 0)
        FROM unnest(m.values, excluded.values) WITH ORDINALITY AS u (a, b, place) ORDER BY place)
    """
)
READ = text("SELECT name, labels, values FROM metric_total ORDER BY name, labels")


def flush(engine: Engine, counters: Counters) -> None:
    """Adds what was counted. What could not be added is kept, and handed over later."""
    if not (counted := counters.take()):
        return
    try:
        with autocommit(engine) as connection:
            connection.execute(ADD, {"rows": json.dumps(_rows(counted))})
    except (DBAPIError, PoolTimeoutError) as error:
        counters.put_back(counted)
        level = logging.DEBUG if is_outage(error) else logging.WARNING
        log.log(level, "numbers could not be handed over", extra={"error": error_summary(error)})


def _rows(counted: Mapping[Key, list[float]]) -> list[dict[str, object]]:
    return [
        {"name": name, "labels": json.dumps(labels), "values": values} for (name, labels), values in counted.items()
    ]


def read(connection: Connection) -> dict[Key, list[float]]:
    return {(row.name, tuple(json.loads(row.labels))): row.values for row in connection.execute(READ)}
