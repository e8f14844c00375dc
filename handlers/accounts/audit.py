"""/api/audit: the audit log, which records every change and its actor."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.http import query
from handlers.openapi.operation import Link, json_answer, operation
from handlers.resources import accounts
from handlers.security.authentication import require
from handlers.services import get_services
from workqueue import audit
from workqueue.auth.permissions import Permission

blueprint = Blueprint("audit", __name__, url_prefix="/api/audit")

MAX_PAGE = 500


@blueprint.get("")
@require(Permission.ADMINISTER)
@operation(
    "List audit entries",
    json_answer(
        accounts.AUDIT_ENTRIES,
        "A page, the newest first.",
        links={"next": Link("audit.show_all", {"cursor": "$response.body#/next_cursor"})},
    ),
    query={
        "actor": query.search_text.described("the actor"),
        "action": query.choice(tuple(audit.Action)).described("the action"),
        "subject": query.search_text.described("the changed object"),
        "limit": query.integer(1, MAX_PAGE).described("entries in a page; default: 50"),
        "cursor": query.cursor.described("next_cursor of the previous page"),
    },
)
def show_all(params: dict[str, Any]) -> Response:
    params |= {"before": params.pop("cursor"), "limit": params["limit"] or 50}
    rows, cursor = audit.list_entries(get_services().engine, audit.Filter(**params))
    items = [accounts.AUDIT_ENTRY.serialize(row) for row in rows]
    return jsonify(items=items, next_cursor=str(cursor) if cursor else None)
