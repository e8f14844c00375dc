"""/api/requests: see, follow, hasten, cancel, retry and delete what was accepted."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.api import request_response
from handlers.http import memory_budget, query
from handlers.openapi import schemas_requests
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Link, json_answer, operation
from handlers.security.authentication import audit_entry, require
from handlers.serializers import resources, visibility
from handlers.services import get_services
from workqueue import lifecycle
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.files.store import remove_if_possible
from workqueue.requests import cancellation, queries, search

blueprint = Blueprint("requests", __name__, url_prefix="/api/requests")

MAX_PAGE = 500
PAGE_WEIGHT = 3  # times the bytes of its events: how much memory a page takes

ID = {"id": string(format="uuid")}
NEXT_AFTER = Header("Next-After", string(examples=["1.250"]), "for `after` of the next call: only newer lines then")

CURRENT_LINES = Header(
    "Current-Lines",
    string(examples=["1"]),
    "how many of the last lines have no end yet (a prompt, a progress bar): Next-After does not count them, so the "
    "next call gives them as they are then",
)


def _changed_request(what: str) -> Answer:
    """A request that somebody has just moved, with when to look at it again."""
    return json_answer(
        visibility.REQUEST.schema,
        what,
        status=202,
        headers=(request_response.RETRY_AFTER,),
        links=request_response.LINKS,
    )


@blueprint.get("")
@require(Permission.READ)
@operation(
    "List requests",
    json_answer(
        schemas_requests.REQUESTS,
        "A page, newest first. Files are told of by the request itself.",
        links={
            "next": Link("requests.show_all", {"cursor": "$response.body#/next_cursor"}),
            "first": Link("requests.show", {"id": "$response.body#/items/0/id"}),
        },
    ),
    query={
        "status": query.status,
        "cancelled": query.boolean.described("true: only those that were cancelled; false: only the others"),
        "function": query.search_text.described("made by calls of this function"),
        "schedule": query.search_text.described("made by this schedule"),
        "queue": query.search_text.described("on this queue"),
        "since": query.date_time.described("made then or later"),
        "until": query.date_time.described("made before"),
        "q": query.search_text.described(
            "a text in id, function, error or event; where a second is too short to look through all of them, the page "
            "holds what was found so far, perhaps nothing, and its next_cursor goes on"
        ),
        "limit": query.integer(1, MAX_PAGE).described("at most so many; 50 unless given"),
        "cursor": query.cursor.described("next_cursor of the page before"),
    },
)
def show_all(params: dict[str, Any]) -> Response:
    params |= {"text": params.pop("q"), "before": params.pop("cursor"), "limit": params["limit"] or 50}
    services = get_services()
    rows, cursor = search.list_page(services.engine, search.Filter(**params))
    large_bytes = sum(row["event_bytes"] for row in rows if row["event"] is None)
    memory_budget.reserve(PAGE_WEIGHT * large_bytes)
    events = {row["id"]: row["event"] for row in rows if row["event"] is not None}
    events |= search.read_large_events(services.engine, rows)
    items = [resources.request(row | {"event": events[row["id"]]}, ()) for row in rows if row["id"] in events]
    return jsonify(items=items, next_cursor=str(cursor) if cursor else None)


@blueprint.get("/<id>")
@require(Permission.FOLLOW)
@operation(
    "Show a request",
    json_answer(
        schemas_requests.REQUEST,
        "The request as it is now.",
        headers=(request_response.RETRY_AFTER,),
        links=request_response.LINKS,
    ),
    path=ID,
    query={
        "wait": query.integer(0, query.MAX_WAIT_S).described("answer when the status changes, or after so many seconds")
    },
    refuses=(404,),
)
def show(id: str, params: dict[str, Any]) -> Response:
    services, request_id = get_services(), query.parse_request_id(id)
    wait_s = params["wait"]
    if wait_s and query.has_thread_to_wait():
        before = queries.find_status(services.engine, request_id)

        def changed() -> bool | None:
            now = queries.find_status(services.engine, request_id)
            return True if now != before or not resources.is_live(now[0]) else None

        services.changes.wait_for(request_id, changed, wait_s)
    return request_response.respond(services, request_id)


@blueprint.get("/<id>/result")
@require(Permission.FOLLOW)
@operation(
    "Show a request's result",
    json_answer(schemas_requests.RESULT, "What the function returned, and the files that it saved."),
    path=ID,
    refuses=(404, 409),
)
def result(id: str) -> Response:
    services, request_id = get_services(), query.parse_request_id(id)
    row, files = queries.find_result(services.engine, request_id)
    return jsonify(
        resources.result(request_response.load_large_values(services, row, data=("result", request_id)), files)
    )


@blueprint.get("/<id>/attempts")
@require(Permission.FOLLOW)
@operation(
    "List a request's attempts",
    json_answer(schemas_requests.ATTEMPTS, "First to last, each with its phases."),
    path=ID,
    refuses=(404,),
)
def attempts(id: str) -> Response:
    rows = queries.list_attempts(get_services().engine, query.parse_request_id(id))
    return jsonify(items=[resources.attempt(row) for row in rows])


@blueprint.get("/<id>/logs")
@require(Permission.FOLLOW)
@operation(
    "Read what a request printed",
    Answer(
        200,
        "One line each: time, attempt, stream, text. Where a flood was cut a line of the stream `localfn` says so. "
        "A page holds up to 100,000 lines and about 4 MiB; behind the last page comes an empty one.",
        {"text/plain": string(examples=["2026-11-22T13:39:45.046Z 1 stdout this is attempt 1\n"])},
        headers=(NEXT_AFTER, CURRENT_LINES),
    ),
    path=ID,
    query={
        "attempt": query.integer(1, 999_999_999).described("only of this one"),
        "after": query.log_position.described("Next-After of the answer before: only what is newer"),
        "current": query.boolean.described(
            "with lines that have no end yet; default: true without `after`, false with it"
        ),
    },
    refuses=(404,),
)
def logs(id: str, params: dict[str, Any]) -> Response:
    after = params["after"] or (0, 0)
    lines, current = queries.list_log_lines(get_services().engine, query.parse_request_id(id), params["attempt"], after)
    is_wanted = params["after"] is None if params["current"] is None else params["current"]
    current = current if is_wanted else []
    shown = [(line["time"], line["attempt"], line["stream"], line["line"]) for line in lines]
    shown += [(line.time, line.attempt, line.stream, line.line) for line in current]
    text = "".join(f"{resources.moment(time)} {attempt} {stream} {line}\n" for time, attempt, stream, line in shown)
    answer = Response(text, content_type="text/plain; charset=utf-8")
    place = (lines[-1]["attempt"], lines[-1]["number"]) if lines else after
    answer.headers["Next-After"] = f"{place[0]}.{place[1]}"
    answer.headers["Current-Lines"] = str(len(current))
    return answer


@blueprint.post("/<id>/cancel")
@require(Permission.OPERATE)
@operation(
    "Cancel a request",
    _changed_request("A pending one has ended; a running one is killed within 2 s."),
    path=ID,
    refuses=(404, 409),
)
def cancel(id: str) -> tuple[Response, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    cancellation.cancel(
        services.engine,
        services.counters,
        request_id,
        services.clock.now(),
        audit_entry(Action.REQUEST_CANCEL, request_id),
    )
    services.doorbell.announce(request_id)
    return request_response.respond(services, request_id), 202


@blueprint.post("/<id>/retry")
@require(Permission.OPERATE)
@operation(
    "Run a failed request again",
    _changed_request("It is pending again."),
    path=ID,
    refuses=(404, 409),
)
def retry(id: str) -> tuple[Response, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    bell = lifecycle.retry(
        services.engine, request_id, services.clock.now(), audit_entry(Action.REQUEST_RETRY, request_id)
    )
    services.doorbell.ring([bell])
    services.doorbell.announce(request_id)
    return request_response.respond(services, request_id), 202


@blueprint.post("/<id>/run")
@require(Permission.OPERATE)
@operation(
    "Run a waiting request now",
    _changed_request("It waits no more for its time, nor for the time of its next attempt."),
    path=ID,
    refuses=(404, 409),
)
def run(id: str) -> tuple[Response, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    bell = lifecycle.run_now(
        services.engine, request_id, services.clock.now(), audit_entry(Action.REQUEST_RUN, request_id)
    )
    services.doorbell.ring([bell])
    services.doorbell.announce(request_id)
    return request_response.respond(services, request_id), 202


@blueprint.delete("/<id>")
@require(Permission.OPERATE)
@operation("Delete a request", Answer(204, "It and all that belongs to it is gone."), path=ID, refuses=(404, 409))
def delete(id: str) -> tuple[str, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    job_ids = lifecycle.delete(services.engine, request_id, audit_entry(Action.REQUEST_DELETE, request_id))
    # The files follow the row: should the process die in between, they are orphans, never rows without files.
    remove_if_possible(services.store, request_id)
    services.doorbell.delete_jobs(job_ids)
    return "", 204
