"""Configure logging for the runtime's processes: one line per event, a constant message, facts as fields."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from infra.redaction import redact

# Characters that end a line, move the cursor, or change the reading direction.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
UNLABELLED_FIELDS = ("actor", "action", "subject", "function", "outcome", "status", "worker")
# Attributes of every record; all others were passed as fields.
STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str, format: str, process: str) -> None:
    """Log this process to stderr. format: "text" or "json"; process: its name in the lines, such as "web"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # RQ logs each job three times at INFO; the runtime logs it once.
    for name in ("rq.worker", "rq.job", "rq.worker_pool", "rq_scheduler.scheduler", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def extra_fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD_ATTRIBUTES}


class TextFormatter(logging.Formatter):
    """Format a record for people: `12:30:01.250 ended 01a2037b-…/1 echo completed vm-4a23de25`.

    INFO is not shown. UNLABELLED_FIELDS are shown without their names, in that order.
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        level = [record.levelname] if record.levelno != logging.INFO else []
        line = _escape_controls(" ".join([time, *level, record.getMessage(), *_format_fields(extra_fields(record))]))
        return redact(line + ("\n" + self.formatException(record.exc_info) if record.exc_info else ""))


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON object per line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **extra_fields(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return redact(json.dumps(entry, default=str))


def _format_fields(known: dict[str, object]) -> Iterator[str]:
    if (request_id := known.pop("request_id", None)) is not None:
        attempt = known.pop("attempt", None)
        yield str(request_id) if attempt is None else f"{request_id}/{attempt}"
    if known.get("status") == known.get("outcome"):
        known.pop("status", None)  # an outcome equal to the status is shown once
    plain = [known.pop(name) for name in UNLABELLED_FIELDS if name in known]
    yield from (str(value) for value in plain if value is not None)
    yield from (f"{name}={value}" for name, value in known.items())


def _escape_controls(text: str) -> str:
    """Escape control characters: client input must not start a line or control the terminal."""
    return CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
