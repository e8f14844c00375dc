"""GET /api/requests/{id}/files/{name} and …/inputs/{name}: the bytes of a file, whole or in part."""

from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from handlers.files.conditions import are_preconditions_met, is_not_modified, modified_at
from handlers.files.ranges import UnsatisfiableError, parse_range
from handlers.http import query
from handlers.http.problems import problem_response
from handlers.openapi.json_schema import integer, string
from handlers.openapi.operation import Answer, Header, operation
from handlers.security.authentication import require
from handlers.services import get_services
from workqueue.auth.permissions import Permission
from workqueue.requests import queries
from workqueue.requests.queries import RequestFile

blueprint = Blueprint("files", __name__, url_prefix="/api/requests")

CHUNK = 256 * 1024
ID = {"id": string(format="uuid")}
ETAG = Header("ETag", string(), "of its bytes: If-None-Match with it answers 304, If-Range makes Range safe")
MODIFIED = Header("Last-Modified", string(), "when it was stored")
DISPOSITION = Header("Content-Disposition", string(), "attachment, with the file's name")
LENGTH = Header("Content-Length", integer(minimum=0), "bytes")
ACCEPT_RANGES = Header("Accept-Ranges", string(enum=["bytes"]), "Range is understood")
CONTENT_RANGE = Header("Content-Range", string(examples=["bytes 0-3/100"]), "which bytes these are, of how many")
BYTES = {"*/*": string(contentMediaType="application/octet-stream")}
HEADERS = (ETAG, MODIFIED, DISPOSITION, LENGTH, ACCEPT_RANGES)
ANSWERS = (
    Answer(200, "Its bytes.", BYTES, headers=HEADERS),
    Answer(206, "Those of them that Range asked for.", BYTES, headers=(*HEADERS, CONTENT_RANGE)),
    Answer(304, "They are what the client has already.", headers=(ETAG, MODIFIED)),
)
REQUEST_HEADERS = (
    Header("Range", string(examples=["bytes=0-3"]), "one range of bytes; several are answered with the whole file"),
    Header("If-Range", string(), "an ETag: Range counts only while the file has it"),
    Header("If-None-Match", string(), "an ETag that was answered before"),
    Header("If-Modified-Since", string(), "a Last-Modified that was answered before; not with If-None-Match"),
    Header("If-Match", string(), "ETags: a file that has none of them is a 412"),
    Header("If-Unmodified-Since", string(), "a time: a file that was stored later is a 412; not with If-Match"),
)


@blueprint.get("/<id>/files/<path:name>")
@require(Permission.FOLLOW)
@operation(
    "Download a file of a request",
    *ANSWERS,
    description="The output file of this name; without one, the upload of this name.",
    path=ID,
    headers=REQUEST_HEADERS,
    refuses=(404, 412, 416),
)
def file(id: str, name: str) -> Response:
    return _send_file(id, name, ("output", "input"))


@blueprint.get("/<id>/inputs/<path:name>")
@require(Permission.FOLLOW)
@operation(
    "Download an upload of a request",
    *ANSWERS,
    description="name: that of the part that it came in.",
    path=ID,
    headers=REQUEST_HEADERS,
    refuses=(404, 412, 416),
)
def input_file(id: str, name: str) -> Response:
    return _send_file(id, name, ("input",))


def _send_file(id: str, name: str, kinds: tuple[str, ...]) -> Response:
    """The file of the first of these kinds that has this name. Raises 404."""
    _, files = queries.find_request(get_services().engine, query.parse_request_id(id))
    named = {file.kind: file for file in files if file.name == name}
    found = next((named[kind] for kind in kinds if kind in named), None)
    if found is None:
        raise NotFound(f"The request has no file {name!r}.")
    if not are_preconditions_met(found):
        return problem_response(412, "The file is not the one that If-Match or If-Unmodified-Since asks for.")
    if is_not_modified(found):
        return _add_headers(Response(status=304), found)
    try:
        wanted = parse_range(request.headers.get("Range"), found.size) if _is_range_asked(found) else None
    except UnsatisfiableError:
        answer = problem_response(
            416, f"The file has {found.size} bytes, none of them in the Range that was asked for."
        )
        answer.headers["Content-Range"] = f"bytes */{found.size}"
        return answer
    return _add_headers(_file_response(found, wanted), found)


def _is_range_asked(found: RequestFile) -> bool:
    """Whether Range counts: for GET, and under If-Range only for the bytes that it names."""
    condition = request.headers.get("If-Range")
    return request.method == "GET" and condition in (None, f'"{found.sha256}"')


def _file_response(found: RequestFile, wanted: range | None) -> Response:
    places = range(found.size) if wanted is None else wanted
    try:
        content = get_services().store.open(found.stored_as, found.sha256, wanted)
    except FileNotFoundError:
        raise NotFound(f"The file {found.name!r} is no more in the file store.") from None
    answer = Response(_stream(content, len(places)), content_type=found.content_type, direct_passthrough=True)
    answer.call_on_close(content.close)
    answer.content_length = len(places)
    if wanted is not None:
        answer.status_code = 206
        answer.headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{found.size}"
    return answer


def _stream(content: IO[bytes], length: int) -> Iterator[bytes]:
    """Yield so many bytes; the last of them only once the store has found the whole to be what was stored."""
    held = b""
    while length > 0 and (piece := content.read(min(CHUNK, length))):
        yield held
        held, length = piece, length - len(piece)
    content.read(1)
    yield held


def _add_headers(answer: Response, found: RequestFile) -> Response:
    answer.set_etag(found.sha256)
    answer.last_modified = modified_at(found)
    if answer.status_code == 304:
        return answer
    answer.headers["Accept-Ranges"] = "bytes"
    # RFC 6266: the plain name for old clients, the encoded one for all characters.
    plain = found.filename.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    encoded = quote(found.filename, safe="")
    answer.headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    # Whatever a browser makes of it, it is no page of ours: it runs nothing and may ask us for nothing.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    return answer
