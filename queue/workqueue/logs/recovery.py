"""Stores what requests had printed when their worker was killed, before it had stored it (spool.py)."""

import fcntl
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from workqueue import lifecycle
from workqueue.database import error_summary, is_outage, sanitize_text
from workqueue.lifecycle import LogLine, LostLine
from workqueue.logs.spool_file import SUFFIX

log = logging.getLogger(__name__)

MAX_INTEGER = 2**31


def recover_lines(engine: Engine, folder: Path) -> None:
    """Of those of this machine. A crash in it, or an outage of the database, leaves the files to the next look."""
    for path in folder.glob(f"*{SUFFIX}"):
        if (found := _read_if_orphaned(path)) is None:
            continue
        worker = path.name.removesuffix(SUFFIX).rpartition(".")[0]
        try:
            count = lifecycle.store_lost_lines(engine, worker, found) if found else 0
        except DBAPIError as error:
            if is_outage(error):
                raise
            log.warning(
                "lines of a lost worker cannot be stored", extra={"worker": worker, "error": error_summary(error)}
            )
        else:
            if count:
                requests = " ".join(sorted({str(lost.request_id) for lost in found}))
                about = {"worker": worker, "count": count, "requests": requests}
                log.info("lines of a lost worker were stored", extra=about)
        path.unlink(missing_ok=True)


def _read_if_orphaned(path: Path) -> list[LostLine] | None:
    """None while its worker lives, or when that has just ended in order."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return list(_read(file))
    except (BlockingIOError, FileNotFoundError):
        return None


def _read(file: BinaryIO) -> Iterator[LostLine]:
    """Read blocks of lines; skip those that a crash cut off, and all that user code may have written into the file."""
    for raw in file:
        try:
            request_id, attempt, number, time, stream, text = json.loads(raw)
            about, printed_at = (UUID(request_id), _require_positive(attempt)), datetime.fromisoformat(time)
            for place, line in enumerate(sanitize_text(text).split("\n"), _require_positive(number)):
                yield LostLine(*about, LogLine(_require_positive(place), printed_at, sanitize_text(stream), line))
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue


def _require_positive(found: object) -> int:
    if not isinstance(found, int) or not 0 < found < MAX_INTEGER:
        raise ValueError
    return found
