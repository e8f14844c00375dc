"""/api/audit: who changed what."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.http import query
from handlers.openapi.json_schema import component, date_time, enum, nullable, page, string, uuid
from handlers.openapi.operation import Link, json_answer, operation
from handlers.security.authentication import require
from handlers.serializers.resources import moment as as_moment
from handlers.services import get_services
from workqueue import audit
from workqueue.auth.permissions import Permission

blueprint = Blueprint("audit", __name__, url_prefix="/api/audit")

MAX_PAGE = 500
ENTRY = component(
    "AuditEntry",
    id=uuid("UUIDv7: sorts by time"),
    time=date_time(),
    actor=string("a user, key:NAME, cli:ACCOUNT, local where nobody logs in, or anonymous"),
    action=enum(audit.Action),
    subject=nullable(string("what was changed: a request's id, a name")),
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
        "actor": query.search_text.described("done by"),
        "action": query.choice(tuple(audit.Action)).described("of this kind"),
        "subject": query.search_text.described("done to"),
        "limit": query.integer(1, MAX_PAGE).described("at most so many; 50 unless given"),
        "cursor": query.cursor.described("next_cursor of the page before"),
    },
)
def show_all(params: dict[str, Any]) -> Response:
    params |= {"before": params.pop("cursor"), "limit": params["limit"] or 50}
    rows, cursor = audit.list_entries(get_services().engine, audit.Filter(**params))
    items = [dict(row) | {"id": str(row["id"]), "time": as_moment(row["time"])} for row in rows]
    return jsonify(items=items, next_cursor=str(cursor) if cursor else None)
