"""What every writer to PostgreSQL needs: retries through an outage, error texts, and text that can be stored."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.outage import MESSAGES, Outage, outage_of
from workqueue.backoff import Backoff

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

FIRST_DELAY_S, MAX_DELAY_S = 0.05, 1.0


def is_outage(error: Exception) -> bool:
    """Return whether a retry may succeed: PostgreSQL is unavailable, starting, full, or out of connections."""
    return outage_of(error) is not None


def outage_description(error: Exception) -> str:
    """Return the log message for an outage."""
    return MESSAGES[outage_of(error) or Outage.UNAVAILABLE]


def error_summary(error: Exception) -> str:
    """Return the message of a database error, without the statement that SQLAlchemy appends."""
    return str(error).split("\n")[0]


def error_kind(error: BaseException) -> str:
    """Return the class name of an error; of a database error, that of the driver's.

    The message of the error belongs only in the process log: it may hold a statement with values of other clients.
    """
    return type(getattr(error, "orig", None) or error).__name__


def retry_through_outage(
    write: Callable[[], Answer], given_up: threading.Event, limit_s: float = float("inf")
) -> Answer:
    """Call `write` until PostgreSQL answers, and return the answer.

    A write may have committed although its answer was lost, so it has to recognise its own effect.
    given_up, limit_s: once the event is set or the time is over, the error of the outage is raised. The lease then
    expires, and another worker continues.
    """
    backoff, ends_at = Backoff(FIRST_DELAY_S, MAX_DELAY_S), time.monotonic() + limit_s
    while True:
        try:
            return write()
        except (DBAPIError, PoolTimeoutError) as error:
            if not is_outage(error) or given_up.is_set() or time.monotonic() >= ends_at:
                raise
            log.warning("write retried", extra={"reason": outage_description(error), "error": error_summary(error)})
        given_up.wait(backoff.next_s())


def sanitize_text(text: str) -> str:
    """Return user code's text with U+0000 and lone surrogates made visible: PostgreSQL stores neither."""
    return text.replace("\0", "\u2400").encode("utf-8", "backslashreplace").decode()


def sanitize_value(value: Any) -> Any:
    """Return a JSON value, all of whose texts can be stored."""
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, list):
        return [sanitize_value(entry) for entry in value]
    if isinstance(value, dict):
        return {sanitize_text(str(name)): sanitize_value(entry) for name, entry in value.items()}
    return value
