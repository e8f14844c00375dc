"""Recover log lines of killed workers: store the lines of their spool files (spool_file.py)."""

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
    """Store the lines in spool files of dead workers of this machine, and delete the files.

    A crash, or an outage of the database, leaves the files to the next call.
    """
    for path in folder.glob(f"*{SUFFIX}"):
        if (lines := _read_if_orphaned(path)) is None:
            continue
        worker = path.name.removesuffix(SUFFIX).rpartition(".")[0]
        try:
            count = lifecycle.store_lost_lines(engine, worker, lines) if lines else 0
        except DBAPIError as error:
            if is_outage(error):
                raise
            log.warning("lines of a lost worker not stored", extra={"worker": worker, "error": error_summary(error)})
        else:
            if count:
                requests = " ".join(sorted({str(lost.request_id) for lost in lines}))
                fields = {"worker": worker, "count": count, "requests": requests}
                log.info("lines of a lost worker stored", extra=fields)
        path.unlink(missing_ok=True)


def _read_if_orphaned(path: Path) -> list[LostLine] | None:
    """Return the lines in the file of a dead worker; None if the worker is alive, or has just removed the file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return list(_read(file))
    except (BlockingIOError, FileNotFoundError):
        return None


def _read(file: BinaryIO) -> Iterator[LostLine]:
    """Read blocks of lines; skip truncated and malformed ones: user code can write to this file, too."""
    for raw in file:
        try:
            request_id, attempt, number, time, stream, text = json.loads(raw)
            owner, printed_at = (UUID(request_id), _require_positive(attempt)), datetime.fromisoformat(time)
            for position, line in enumerate(sanitize_text(text).split("\n"), _require_positive(number)):
                yield LostLine(*owner, LogLine(_require_positive(position), printed_at, sanitize_text(stream), line))
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue


def _require_positive(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < MAX_INTEGER:
        raise ValueError
    return value
