"""/api/audit: who changed what."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.http import query
from handlers.openapi.json_schema import moment, nullable, one_of, page, shape, text, uuid
from handlers.openapi.operation import Link, json_answer, operation
from handlers.security.authentication import require
from handlers.serializers.resources import moment as as_moment
from handlers.services import services
from workqueue import audit
from workqueue.auth.permissions import Permission

blueprint = Blueprint("audit", __name__, url_prefix="/api/audit")

MAX_PAGE = 500
ENTRY = shape(
    "AuditEntry",
    id=uuid("UUIDv7: sorts by time"),
    time=moment(),
    actor=text("a user, key:NAME, cli:ACCOUNT, local where nobody logs in, or anonymous"),
    action=one_of(audit.Action),
    subject=nullable(text("what was changed: a request's id, a name")),
    details={"type": "object"},
)


@blueprint.get("")
@require(Permission.ADMINISTER)
@operation(
    "Read the audit",
    json_answer(
        page("AuditEntries", ENTRY),
        "A page, newest first.",
        links={"next": Link("audit.show_all", {"cursor": "$response.body#/next_cursor"})},
    ),
    query={
        "actor": query.search_text.about("done by"),
        "action": query.one_of(tuple(audit.Action)).about("of this kind"),
        "subject": query.search_text.about("done to"),
        "limit": query.whole(1, MAX_PAGE).about("at most so many; 50 unless given"),
        "cursor": query.cursor.about("next_cursor of the page before"),
    },
)
def show_all(wanted: dict[str, Any]) -> Response:
    wanted |= {"before": wanted.pop("cursor"), "limit": wanted["limit"] or 50}
    rows, cursor = audit.list_entries(services().engine, audit.Filter(**wanted))
    items = [dict(row) | {"id": str(row["id"]), "time": as_moment(row["time"])} for row in rows]
    return jsonify(items=items, next_cursor=str(cursor) if cursor else None)
