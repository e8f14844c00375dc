"""Remove the working directories of lost workers, orphaned files, and old requests."""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, text

from schema.engine import autocommit
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.files.rmtree import remove_tree
from workqueue.files.store import FileStore
from workqueue.files.working_directory import worker_of
from workqueue.heartbeats import worker_heartbeats
from workqueue.transport.doorbell import Doorbell

log = logging.getLogger(__name__)

CHUNK = 500  # requests deleted in one transaction
MAX_PER_RUN = 20 * CHUNK  # requests deleted in one run; then more are left
LOOKUP_CHUNK = 1000  # requests with files, looked up in one statement
ORPHAN_S = 3600.0  # newer files may belong to a request that is being submitted

# Workers with a heartbeat, and workers with a lease, which may be alive although their heartbeats are late.
LIVE_WORKERS = text(
    """
    SELECT name FROM worker WHERE name = ANY(:names) AND seen_at > :since
    UNION
    SELECT worker FROM processing_request WHERE status = 'processing' AND worker = ANY(:names)
    """
)


def remove_working_directories(engine: Engine, clock: Clock, folder: Path) -> int:
    """Remove the working directories of lost workers. Return how many.

    Entries with other names than `WorkingDirectory` gives stay.
    """
    found = {path: worker for path in folder.iterdir() if (worker := worker_of(path)) is not None}
    if not found:
        return 0
    values = {
        "names": list(set(found.values())),
        "since": clock.now() - timedelta(seconds=worker_heartbeats.ALIVE_WITHIN_S),
    }
    with autocommit(engine) as connection:
        kept = set(connection.execute(LIVE_WORKERS, values).scalars())
    gone = [path for path, worker in found.items() if worker not in kept]
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:  # user code put it there
            path.unlink(missing_ok=True)
    if gone:
        log.info("working directories removed", extra={"count": len(gone)})
    return len(gone)


def delete_old_requests(
    engine: Engine, store: FileStore, doorbell: Doorbell, clock: Clock, retention_days: float
) -> int:
    """Delete requests that ended before the retention period, then their files and RQ jobs. 0 days keep all.

    Return how many; MAX_PER_RUN when more are left. Rows are deleted first: a crash in between leaves files without a
    row, which `remove_orphaned_files` finds.
    """
    count = 0
    while retention_days and count < MAX_PER_RUN:
        purged = lifecycle.purge(engine, clock.now() - timedelta(days=retention_days), chunk=CHUNK)
        for each in purged:
            if each.has_files:  # on S3 a call without a match takes as long as one with a match
                store.remove(each.request_id)
        doorbell.delete_jobs([job_id for each in purged for job_id in each.job_ids])
        count += len(purged)
        if len(purged) < CHUNK:
            break
    if count:
        log.info("old requests deleted", extra={"count": count})
    return count


MIN_TICK_DAYS = 1.0  # a clock that is set back could fire a deleted tick again


def delete_old_ticks(engine: Engine, clock: Clock, retention_days: float) -> int:
    """Delete ticks that are older than the retention period. Return how many; 0 days keep all."""
    if not retention_days:
        return 0
    before = clock.now() - timedelta(days=max(retention_days, MIN_TICK_DAYS))
    with engine.begin() as connection:
        statement = text("DELETE FROM schedule_tick WHERE scheduled_for < :before")
        return connection.execute(statement, {"before": before}).rowcount


def remove_orphaned_files(engine: Engine, store: FileStore, before: float | None = None) -> int:
    """Remove the files of requests that do not exist. Return the number of these requests.

    before: remove only older files, in seconds since the epoch.
    """
    before = time.time() - ORPHAN_S if before is None else before
    store.abort_unfinished(before)
    ids = store.request_ids(before)
    orphans = [
        id for start in range(0, len(ids), LOOKUP_CHUNK) for id in _find_unknown(engine, ids[start:][:LOOKUP_CHUNK])
    ]
    for request_id in orphans:
        store.remove(request_id)
    return len(orphans)


def _find_unknown(engine: Engine, ids: Sequence[UUID]) -> list[UUID]:
    with engine.connect() as connection:
        statement = text("SELECT id FROM processing_request WHERE id = ANY(:ids)")
        known = set(connection.execute(statement, {"ids": list(ids)}).scalars())
    return [request_id for request_id in ids if request_id not in known]
