"""/api/requests: list, show, cancel, retry, run and delete requests."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from handlers.api import request_response
from handlers.http import memory_budget, query
from handlers.openapi.component import format_time
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Link, json_answer, operation
from handlers.resources import requests, visibility
from handlers.security.authentication import audit_entry, require
from handlers.services import Services, get_services
from workqueue import lifecycle
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.files.store import remove_if_possible
from workqueue.requests import cancellation, queries, search

blueprint = Blueprint("requests", __name__, url_prefix="/api/requests")

MAX_PAGE = 500
PAGE_WEIGHT = 3  # memory that a page takes, as a multiple of the bytes of its events

ID = {"id": string(format="uuid")}
NEXT_AFTER = Header(
    "Next-After", string(examples=["1.250"]), "`after` of the next call, which then returns newer lines only"
)
CURRENT_LINES = Header(
    "Current-Lines",
    string(examples=["1"]),
    "how many of the last lines are unfinished, such as a prompt or a progress bar. Next-After does not count them, "
    "so the next call returns them again.",
)


def _changed_request(description: str) -> Answer:
    return json_answer(
        visibility.REQUEST.schema,
        description,
        status=202,
        headers=(request_response.RETRY_AFTER,),
        links=request_response.LINKS,
    )


@blueprint.get("")
@require(Permission.READ)
@operation(
    "List requests",
    json_answer(
        requests.REQUESTS,
        "A page, the newest first. `files` is empty here; show a request to see its files.",
        links={
            "next": Link("requests.show_all", {"cursor": "$response.body#/next_cursor"}),
            "first": Link("requests.show", {"id": "$response.body#/items/0/id"}),
        },
    ),
    query={
        "status": query.status,
        "cancelled": query.boolean.described("true: only cancelled requests; false: all others"),
        "function": query.search_text.described("the function"),
        "schedule": query.search_text.described("the schedule that created them"),
        "queue": query.search_text.described("the queue"),
        "since": query.date_time.described("created at this time or later"),
        "until": query.date_time.described("created before this time"),
        "q": query.search_text.described(
            "a text in the id, function, error or event. A search stops after one second: the page then holds the "
            "matches so far, possibly none, and its next_cursor continues the search."
        ),
        "limit": query.integer(1, MAX_PAGE).described("requests in a page; default: 50"),
        "cursor": query.cursor.described("next_cursor of the previous page"),
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
    items = [requests.serialize_request(row | {"event": events[row["id"]]}, ()) for row in rows if row["id"] in events]
    return jsonify(items=items, next_cursor=str(cursor) if cursor else None)


@blueprint.get("/<id>")
@require(Permission.FOLLOW)
@operation(
    "Show a request",
    json_answer(
        requests.REQUEST,
        "The current state of the request.",
        headers=(request_response.RETRY_AFTER,),
        links=request_response.LINKS,
    ),
    path=ID,
    query={"wait": query.integer(0, query.MAX_WAIT_S).described("seconds to wait for a change of the status")},
    errors=(404,),
)
def show(id: str, params: dict[str, Any]) -> Response:
    services, request_id = get_services(), query.parse_request_id(id)
    wait_s = params["wait"]
    if wait_s and query.has_thread_to_wait():
        old = queries.find_status(services.engine, request_id)

        def changed() -> bool | None:
            new = queries.find_status(services.engine, request_id)
            return True if new != old or not requests.is_live(new[0]) else None

        with services.changes.enter(request_id) as waiter:
            if waiter is not None:
                waiter.wait_for(changed, wait_s)
    return request_response.respond(services, request_id)


@blueprint.get("/<id>/result")
@require(Permission.FOLLOW)
@operation(
    "Show the result of a request",
    json_answer(requests.RESULT, "The return value of the function, and the files that it saved."),
    path=ID,
    errors=(404, 409),
)
def result(id: str) -> Response:
    services, request_id = get_services(), query.parse_request_id(id)
    row, files = queries.find_result(services.engine, request_id)
    row = request_response.load_large_values(services, row, data=("result", request_id))
    return jsonify(requests.serialize_result(row, files))


@blueprint.get("/<id>/attempts")
@require(Permission.FOLLOW)
@operation(
    "List the attempts of a request",
    json_answer(requests.ATTEMPTS, "All attempts with their phases, the first one first."),
    path=ID,
    errors=(404,),
)
def attempts(id: str) -> Response:
    rows = queries.list_attempts(get_services().engine, query.parse_request_id(id))
    return jsonify(items=[requests.serialize_attempt(row) for row in rows])


@blueprint.get("/<id>/logs")
@require(Permission.FOLLOW)
@operation(
    "Show the logs of a request",
    Answer(
        200,
        "Each line has time, attempt, stream and text. A line of the stream `localfn` marks where output was dropped. "
        "A page holds up to 100,000 lines and about 4 MiB; an empty page follows the last one.",
        {"text/plain": string(examples=["2026-11-22T13:39:45.046Z 1 stdout this is attempt 1\n"])},
        headers=(NEXT_AFTER, CURRENT_LINES),
    ),
    path=ID,
    query={
        "attempt": query.integer(1, 999_999_999).described("the number of the attempt; default: all attempts"),
        "after": query.log_position.described("Next-After of the previous answer: only newer lines"),
        "current": query.boolean.described(
            "whether to include unfinished lines; default: true without `after`, false with it"
        ),
    },
    errors=(404,),
)
def logs(id: str, params: dict[str, Any]) -> Response:
    after = params["after"] or (0, 0)
    lines, current = queries.list_log_lines(get_services().engine, query.parse_request_id(id), params["attempt"], after)
    if not (params["after"] is None if params["current"] is None else params["current"]):
        current = []
    shown = [(line["time"], line["attempt"], line["stream"], line["line"]) for line in lines]
    shown += [(line.time, line.attempt, line.stream, line.line) for line in current]
    text = "".join(f"{format_time(time)} {attempt} {stream} {line}\n" for time, attempt, stream, line in shown)
    answer = Response(text, content_type="text/plain; charset=utf-8")
    attempt, number = (lines[-1]["attempt"], lines[-1]["number"]) if lines else after
    answer.headers["Next-After"] = f"{attempt}.{number}"
    answer.headers["Current-Lines"] = str(len(current))
    return answer


@blueprint.post("/<id>/cancel")
@require(Permission.OPERATE)
@operation(
    "Cancel a request",
    _changed_request("A pending request has ended; a running one is killed within 2 s."),
    path=ID,
    errors=(404, 409),
)
def cancel(id: str) -> tuple[Response, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    entry = audit_entry(Action.REQUEST_CANCEL, request_id)
    cancellation.cancel(services.engine, services.counters, request_id, services.clock.now(), entry)
    return _announce_change(services, request_id)


@blueprint.post("/<id>/retry")
@require(Permission.OPERATE)
@operation(
    "Retry a failed request",
    _changed_request("The request is pending again."),
    path=ID,
    errors=(404, 409),
)
def retry(id: str) -> tuple[Response, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    entry = audit_entry(Action.REQUEST_RETRY, request_id)
    services.doorbell.ring([lifecycle.retry(services.engine, request_id, services.clock.now(), entry)])
    return _announce_change(services, request_id)


@blueprint.post("/<id>/run")
@require(Permission.OPERATE)
@operation(
    "Run a pending request now",
    _changed_request(
        "The request is due now: it waits neither for its time nor for the delay before its next attempt."
    ),
    path=ID,
    errors=(404, 409),
)
def run(id: str) -> tuple[Response, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    entry = audit_entry(Action.REQUEST_RUN, request_id)
    services.doorbell.ring([lifecycle.run_now(services.engine, request_id, services.clock.now(), entry)])
    return _announce_change(services, request_id)


@blueprint.delete("/<id>")
@require(Permission.OPERATE)
@operation(
    "Delete a request",
    Answer(204, "The request, its result, attempts, logs and files are deleted."),
    path=ID,
    errors=(404, 409),
)
def delete(id: str) -> tuple[str, int]:
    services, request_id = get_services(), query.parse_request_id(id)
    job_ids = lifecycle.delete(services.engine, request_id, audit_entry(Action.REQUEST_DELETE, request_id))
    # Row first, files second: a crash in between leaves files without a row, which the cleaner deletes.
    remove_if_possible(services.store, request_id)
    services.doorbell.delete_jobs(job_ids)
    return "", 204


def _announce_change(services: Services, request_id: UUID) -> tuple[Response, int]:
    services.doorbell.announce(request_id)
    return request_response.respond(services, request_id), 202
