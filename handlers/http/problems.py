"""Answer every error as application/problem+json (RFC 9457); one table maps exceptions to statuses."""

import errno
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, json, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from handlers.services import get_services
from schema.outage import MESSAGES, Outage, outage_of
from workqueue import errors
from workqueue.database import error_summary
from workqueue.files.store import StorageError

log = logging.getLogger(__name__)

RETRY_AFTER_S = 2
DISK_FULL = "The disk is full; nothing was stored. Try again when space is free."
OUTAGE_ANSWERS = {
    Outage.UNAVAILABLE: (503, "The database is unavailable; try again."),
    Outage.FULL: (507, "The disk of the database is full; nothing was stored. Try again when space is free."),
    Outage.READ_ONLY: (503, "The database is read-only; nothing was stored. Try again later."),
    Outage.OVERLOADED: (503, "The database has no free connection; try again."),
    Outage.SLOW: (503, "The database did not answer in time; try again."),
}
IDEMPOTENCY_HINTS = {
    "invocations.invoke": " With an Idempotency-Key, the repeated call creates no second request.",
    "invocations.invoke_batch": " With an Idempotency-Key, the repeated call creates no second batch.",
}
DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})

STATUSES: dict[type[errors.WorkqueueError], HTTPStatus] = {
    errors.UnknownFunctionError: HTTPStatus.NOT_FOUND,
    errors.UnknownRequestError: HTTPStatus.NOT_FOUND,
    errors.UnknownQueueError: HTTPStatus.NOT_FOUND,
    errors.NotAllowedNowError: HTTPStatus.CONFLICT,
    errors.KeyReusedError: HTTPStatus.CONFLICT,
    errors.BadEventError: HTTPStatus.BAD_REQUEST,
    errors.EventTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnknownScheduleError: HTTPStatus.NOT_FOUND,
    errors.ScheduleExistsError: HTTPStatus.CONFLICT,
    errors.DeclaredScheduleError: HTTPStatus.CONFLICT,
    errors.BadScheduleError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadAccessError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadLoginError: HTTPStatus.UNAUTHORIZED,
    errors.TooManyLoginsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UnknownUserError: HTTPStatus.NOT_FOUND,
    errors.UserExistsError: HTTPStatus.CONFLICT,
    errors.LastAdminError: HTTPStatus.CONFLICT,
    errors.UnknownKeyError: HTTPStatus.NOT_FOUND,
    errors.KeyExistsError: HTTPStatus.CONFLICT,
}


class BadRequestError(Exception):
    """The request of the client is not valid. errors: one entry for each field, {"field", "detail"}."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, errors, headers or {}


class OverloadedError(Exception):
    """The server is at its limit and has accepted nothing; the client should try again."""


def invalid_field(field: str, detail: str) -> BadRequestError:
    """Return the error 422 for one field."""
    entry = [{"field": field, "detail": detail}]
    return BadRequestError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {detail}", entry)


def problem_response(status: int, detail: str, **more: Any) -> Response:
    """Return a problem document. more: further members; None leaves a member out."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body |= {name: value for name, value in more.items() if value is not None}
    return Response(json.dumps(body) + "\n", status=status, content_type="application/problem+json")


def retryable_problem(status: int, detail: str) -> Response:
    """Return a problem document with Retry-After."""
    answer = problem_response(status, detail)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def install(app: Flask) -> None:
    app.register_error_handler(errors.WorkqueueError, handle_workqueue_error)
    app.register_error_handler(BadRequestError, handle_bad_request)
    app.register_error_handler(OverloadedError, handle_overload)
    app.register_error_handler(HTTPException, handle_http_exception)
    app.register_error_handler(SQLAlchemyError, handle_database_error)
    app.register_error_handler(StorageError, handle_storage_error)
    app.register_error_handler(OSError, handle_os_error)
    app.register_error_handler(Exception, handle_unexpected_error)


def handle_workqueue_error(error: errors.WorkqueueError) -> Response:
    status = STATUSES.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    answer = problem_response(status, str(error), errors=getattr(error, "errors", None))
    if isinstance(error, errors.TooManyLoginsError):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def handle_bad_request(error: BadRequestError) -> Response:
    answer = problem_response(error.status, error.detail, errors=error.errors)
    answer.headers.update(error.headers)
    return answer


def handle_overload(error: OverloadedError) -> Response:
    return retryable_problem(503, str(error))


def handle_http_exception(error: HTTPException) -> Response:
    answer = problem_response(error.code or 500, error.description or error.name)
    # Keep the headers of werkzeug: Allow for 405, Location for a redirect.
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def handle_database_error(error: SQLAlchemyError) -> Response:
    outage = outage_of(error)
    if outage is None:
        return handle_unexpected_error(error)
    log.warning(MESSAGES[outage], extra={"error": error_summary(error)})
    get_services().overview.record_outage(outage)
    status, detail = OUTAGE_ANSWERS[outage]
    more = IDEMPOTENCY_HINTS.get(request.endpoint or "", "") if outage in (Outage.UNAVAILABLE, Outage.SLOW) else ""
    return retryable_problem(status, detail + more)


def handle_os_error(error: OSError) -> Response:
    """Answer a full disk with 507, and any other error of the operating system with 500."""
    if error.errno not in DISK_FULL_ERRNOS:
        return handle_unexpected_error(error)
    log.warning("disk full", extra={"error": str(error)})
    return retryable_problem(507, DISK_FULL)


def handle_storage_error(error: StorageError) -> Response:
    log.warning("file store unavailable", extra={"error": str(error)})
    stored = "" if request.method in ("GET", "HEAD") else "; nothing was accepted"
    return retryable_problem(503, f"The file store does not answer{stored}. Try again.")


def handle_unexpected_error(error: Exception) -> Response:
    if current_app.debug:
        raise error  # for the debugger of the development server
    log.error("handler failed", exc_info=error)
    return problem_response(500, "The server failed unexpectedly; its log holds the traceback.")
