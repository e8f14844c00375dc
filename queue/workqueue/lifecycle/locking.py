"""Holds a request's row until the transaction ends, so that no other move slips in between."""

from uuid import UUID

from sqlalchemy import Connection, text

from workqueue.errors import UnknownRequestError

LOCK = text("SELECT status FROM processing_request WHERE id = :id FOR UPDATE")


def lock(connection: Connection, request_id: UUID) -> str:
    """Its status. Raises UnknownRequestError."""
    status: str | None = connection.execute(LOCK, {"id": request_id}).scalar_one_or_none()
    if status is None:
        raise UnknownRequestError(f"There is no request {request_id}.")
    return status
