"""/api/requests: see, follow, cancel, retry and delete what was accepted."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, jsonify, request, send_file
from werkzeug.exceptions import NotFound

from handlers import query, representation
from handlers.access import needs
from handlers.services import Services, services
from workqueue import lifecycle, reading
from workqueue.access.principals import Permission

blueprint = Blueprint("requests", __name__, url_prefix="/api/requests")

MAX_PAGE = 500


@blueprint.get("")
@needs(Permission.READ)
def show_all() -> Response:
    wanted = query.parameters(
        {
            "status": query.status,
            "function": query.words,
            "schedule": query.words,
            "since": query.moment,
            "until": query.moment,
            "q": query.words,
            "limit": query.whole(1, MAX_PAGE),
            "cursor": query.cursor,
        }
    )
    wanted |= {"text": wanted.pop("q"), "before": wanted.pop("cursor"), "limit": wanted["limit"] or 50}
    rows, cursor = reading.listing(services().engine, reading.Filter(**wanted))
    items = [representation.request(row, ()) for row in rows]
    return jsonify(items=items, next_cursor=str(cursor) if cursor else None)


@blueprint.get("/<id>")
@needs(Permission.FOLLOW)
def show(id: str) -> Response:
    here, request_id = services(), query.request_id(id)
    wait_s = query.parameters({"wait": query.whole(0, query.MAX_WAIT_S)})["wait"]
    if wait_s:
        before = reading.status(here.engine, request_id)

        def changed() -> bool | None:
            now = reading.status(here.engine, request_id)
            return True if now != before or not representation.is_live(now[0]) else None

        here.waiting.until(request_id, changed, wait_s)
    answer = respond(here, request_id)
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@blueprint.get("/<id>/result")
@needs(Permission.FOLLOW)
def result(id: str) -> Response:
    query.parameters({})
    row, files = reading.result(services().engine, query.request_id(id))
    return jsonify(representation.result(row, files))


@blueprint.get("/<id>/attempts")
@needs(Permission.FOLLOW)
def attempts(id: str) -> Response:
    query.parameters({})
    rows = reading.attempts(services().engine, query.request_id(id))
    return jsonify(items=[representation.attempt(row) for row in rows])


@blueprint.get("/<id>/logs")
@needs(Permission.FOLLOW)
def logs(id: str) -> Response:
    wanted = query.parameters({"attempt": query.whole(1, 999_999_999), "after": query.log_place})
    after = wanted["after"] or (0, 0)
    lines = reading.logs(services().engine, query.request_id(id), wanted["attempt"], after)
    text = "".join(
        f"{representation.moment(line['time'])} {line['attempt']} {line['stream']} {line['line']}\n" for line in lines
    )
    answer = Response(text, content_type="text/plain; charset=utf-8")
    place = (lines[-1]["attempt"], lines[-1]["number"]) if lines else after
    answer.headers["Next-After"] = f"{place[0]}.{place[1]}"
    return answer


@blueprint.get("/<id>/files/<path:name>")
@needs(Permission.FOLLOW)
def file(id: str, name: str) -> Response:
    query.parameters({})
    here = services()
    _, files = reading.request(here.engine, query.request_id(id))
    # An output file hides an upload of the same name: it is what was made of it.
    found = next((file for file in sorted(files, key=lambda f: f.kind, reverse=True) if file.name == name), None)
    if found is None:
        raise NotFound(f"The request has no file {name!r}.")
    answer = send_file(
        here.store.open(found.stored_as), mimetype=found.content_type, etag=found.sha256, conditional=True
    )
    # RFC 6266: the plain name for old clients, the encoded one for all characters.
    plain = found.filename.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    encoded = quote(found.filename, safe="")
    answer.headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@blueprint.post("/<id>/cancel")
@needs(Permission.OPERATE)
def cancel(id: str) -> tuple[Response, int]:
    query.parameters({})
    here, request_id = services(), query.request_id(id)
    lifecycle.cancel(here.engine, request_id, here.clock.now())
    here.doorbell.announce(request_id)
    return respond(here, request_id), 202


@blueprint.post("/<id>/retry")
@needs(Permission.OPERATE)
def retry(id: str) -> tuple[Response, int]:
    query.parameters({})
    here, request_id = services(), query.request_id(id)
    here.doorbell.ring([lifecycle.retry(here.engine, request_id, here.clock.now())])
    here.doorbell.announce(request_id)
    return respond(here, request_id), 202


@blueprint.delete("/<id>")
@needs(Permission.OPERATE)
def delete(id: str) -> tuple[str, int]:
    query.parameters({})
    here, request_id = services(), query.request_id(id)
    job_ids = lifecycle.delete(here.engine, request_id)
    # The files follow the row: should the process die in between, they are orphans, never rows without files.
    here.store.remove(request_id)
    here.doorbell.forget(job_ids)
    return "", 204


def respond(here: Services, request_id: UUID) -> Response:
    """The request as it is now."""
    return told(representation.request(*reading.request(here.engine, request_id)))


def told(body: dict[str, Any]) -> Response:
    """A request's representation as an answer that says when to ask again."""
    answer = jsonify(body)
    if representation.is_live(body["status"]):
        answer.headers["Retry-After"] = str(representation.RETRY_AFTER_S)
    return answer


def ended(here: Services, request_id: UUID, wait_s: float) -> dict[str, Any] | None:
    """The request with its result, once it has ended; None when it still lives after so many seconds."""

    def look() -> dict[str, Any] | None:
        row, files = reading.outcome(here.engine, request_id)
        live = representation.is_live(row["status"])
        return None if live else representation.request(row, files) | {"result": row["result"]}

    return here.waiting.until(request_id, look, wait_s)
