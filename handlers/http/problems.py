"""Every error as application/problem+json (RFC 9457): one table from exceptions to answers."""

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
DISK_FULL = "The disk is full; nothing was stored. Try again when there is room."
# Status and detail, by what keeps the database from it.
OUTAGE_ANSWERS = {
    Outage.UNAVAILABLE: (503, "The database is away; try again."),
    Outage.FULL: (507, "The disk of the database is full; nothing was stored. Try again when there is room."),
    Outage.READ_ONLY: (503, "The database takes no writes now; nothing was stored. Try again."),
    Outage.OVERLOADED: (503, "The database has no free connection; try again."),
    Outage.SLOW: (503, "The database does not answer in time; try again."),
}
IDEMPOTENCY_HINTS = {
    "functions.invoke": " With an Idempotency-Key it makes no second request.",
    "functions.invoke_batch": " With an Idempotency-Key it makes no second batch.",
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
    """The client asks for something that cannot be. errors: one entry per field, {"field", "detail"}."""

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
    """This server does as much as it can at a time; the client tries again a little later. Nothing was accepted."""


def invalid_field(field: str, detail: str) -> BadRequestError:
    """422 for one field, which is named."""
    entry = [{"field": field, "detail": detail}]
    return BadRequestError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {detail}", entry)


def problem_response(status: int, detail: str, **more: Any) -> Response:
    """A problem document. more: further members, left out when None."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body |= {name: value for name, value in more.items() if value is not None}
    return Response(json.dumps(body) + "\n", status=status, content_type="application/problem+json")


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
    answer = problem_response(503, str(error))
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def handle_http_exception(error: HTTPException) -> Response:
    answer = problem_response(error.code or 500, error.description or error.name)
    # What werkzeug adds stays: Allow for 405, Location for a redirect.
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
    answer = problem_response(status, detail + more)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def handle_os_error(error: OSError) -> Response:
    """Answer an error of the operating system: a full disk is no fault of the server's code."""
    if error.errno not in DISK_FULL_ERRNOS:
        return handle_unexpected_error(error)
    log.warning("the disk is full", extra={"error": str(error)})
    answer = problem_response(507, DISK_FULL)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def handle_storage_error(error: StorageError) -> Response:
    log.warning("the file store is away", extra={"error": str(error)})
    answer = problem_response(503, "The file store is away; try again. Nothing was accepted.")
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def handle_unexpected_error(error: Exception) -> Response:
    if current_app.debug:
        raise error  # the development server's debugger shows where
    log.error("a handler failed", exc_info=error)
    return problem_response(500, "The server failed at this; its log says more.")
