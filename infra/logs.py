"""How the runtime's own processes log: one line per move, a constant message, facts as fields."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

from infra.masking import masked

# What ends a line, moves a cursor, or turns the direction of what is read.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
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
    """`12:30:01.250 INFO claimed request_id=… attempt=1`"""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        pairs = "".join(f" {name}={value}" for name, value in facts(record).items())
        line = _in_line(f"{time} {record.levelname} {record.getMessage()}{pairs}")
        return masked(line + ("\n" + self.formatException(record.exc_info) if record.exc_info else ""))


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
        return masked(json.dumps(entry, default=str))


def _in_line(text: str) -> str:
    """What somebody sent makes no line of its own, and tells a terminal nothing."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
