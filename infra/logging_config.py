"""How the runtime's own processes log: one line per move, a constant message, facts as fields."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from infra.redaction import redact

# What ends a line, moves a cursor, or turns the direction of what is read.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
PLAIN = ("actor", "action", "subject", "function", "outcome", "status", "worker")
# What every record has anyway; anything else on it was passed as a fact.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str, format: str, process: str) -> None:
    """Logs of this process go to stderr. format: "text" or "json"; process: "web", "worker", …"""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # RQ tells each job three times at INFO; what it tells, our own lines tell once.
    for name in ("rq.worker", "rq.job", "rq.worker_pool", "rq_scheduler.scheduler", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def facts(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


class TextFormatter(logging.Formatter):
    """`12:30:01.250 ended 01a2037b-…/1 echo completed vm-4a23de25`: for a person, who reads down a hundred columns.

    The level is told when it is not INFO, and what every line has is told without its name: PLAIN, in this order.
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        level = [record.levelname] if record.levelno != logging.INFO else []
        line = _in_line(" ".join([time, *level, record.getMessage(), *_told(facts(record))]))
        return redact(line + ("\n" + self.formatException(record.exc_info) if record.exc_info else ""))


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

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
            **facts(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return redact(json.dumps(entry, default=str))


def _told(known: dict[str, object]) -> Iterator[str]:
    if (request_id := known.pop("request_id", None)) is not None:
        attempt = known.pop("attempt", None)
        yield str(request_id) if attempt is None else f"{request_id}/{attempt}"
    if known.get("status") == known.get("outcome"):
        known.pop("status", None)  # `completed`, `failed`: once is enough
    plain = [known.pop(name) for name in PLAIN if name in known]
    yield from (str(value) for value in plain if value is not None)
    yield from (f"{name}={value}" for name, value in known.items())


def _in_line(text: str) -> str:
    """What somebody sent makes no line of its own, and tells a terminal nothing."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
