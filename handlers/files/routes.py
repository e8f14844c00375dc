"""GET /api/requests/{id}/files/{name} and …/inputs/{name}: the bytes of a file, whole or in part."""

from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from handlers.files.conditions import is_known, is_met, modified_at
from handlers.files.ranges import UnsatisfiableError, wanted_range
from handlers.http import query
from handlers.http.problems import problem
from handlers.openapi.json_schema import text, whole
from handlers.openapi.operation import Answer, Header, operation
from handlers.security.authentication import require
from handlers.services import services
from workqueue.auth.permissions import Permission
from workqueue.requests import queries
from workqueue.requests.queries import FoundFile

blueprint = Blueprint("files", __name__, url_prefix="/api/requests")

CHUNK = 256 * 1024
ID = {"id": text(format="uuid")}
ETAG = Header("ETag", text(), "of its bytes: If-None-Match with it answers 304, If-Range makes Range safe")
MODIFIED = Header("Last-Modified", text(), "when it was stored")
DISPOSITION = Header("Content-Disposition", text(), "attachment, with the file's name")
LENGTH = Header("Content-Length", whole(minimum=0), "bytes")
ACCEPT_RANGES = Header("Accept-Ranges", text(enum=["bytes"]), "Range is understood")
CONTENT_RANGE = Header("Content-Range", text(examples=["bytes 0-3/100"]), "which bytes these are, of how many")
BYTES = {"*/*": text(contentMediaType="application/octet-stream")}
HEADERS = (ETAG, MODIFIED, DISPOSITION, LENGTH, ACCEPT_RANGES)
ANSWERS = (
    Answer(200, "Its bytes.", BYTES, headers=HEADERS),
    Answer(206, "Those of them that Range asked for.", BYTES, headers=(*HEADERS, CONTENT_RANGE)),
    Answer(304, "They are what the client has already.", headers=(ETAG, MODIFIED)),
)
ASKED = (
    Header("Range", text(examples=["bytes=0-3"]), "one range of bytes; several are answered with the whole file"),
    Header("If-Range", text(), "an ETag: Range counts only while the file has it"),
    Header("If-None-Match", text(), "an ETag that was answered before"),
    Header("If-Modified-Since", text(), "a Last-Modified that was answered before; not with If-None-Match"),
    Header("If-Match", text(), "ETags: a file that has none of them is a 412"),
    Header("If-Unmodified-Since", text(), "a time: a file that was stored later is a 412; not with If-Match"),
)


@blueprint.get("/<id>/files/<path:name>")
@require(Permission.FOLLOW)
@operation(
    "Download a file of a request",
    *ANSWERS,
    description="The output file of this name; without one, the upload of this name.",
    path=ID,
    headers=ASKED,
    refuses=(404, 412, 416),
)
def file(id: str, name: str) -> Response:
    return _sent(id, name, ("output", "input"))


@blueprint.get("/<id>/inputs/<path:name>")
@require(Permission.FOLLOW)
@operation(
    "Download an upload of a request",
    *ANSWERS,
    description="name: that of the part that it came in.",
    path=ID,
    headers=ASKED,
    refuses=(404, 412, 416),
)
def input_file(id: str, name: str) -> Response:
    return _sent(id, name, ("input",))


def _sent(id: str, name: str, kinds: tuple[str, ...]) -> Response:
    """The file of the first of these kinds that has this name. Raises 404."""
    _, files = queries.request(services().engine, query.request_id(id))
    named = {file.kind: file for file in files if file.name == name}
    found = next((named[kind] for kind in kinds if kind in named), None)
    if found is None:
        raise NotFound(f"The request has no file {name!r}.")
    if not is_met(found):
        return problem(412, "The file is not the one that If-Match or If-Unmodified-Since asks for.")
    if is_known(found):
        return _marked(Response(status=304), found)
    try:
        wanted = wanted_range(request.headers.get("Range"), found.size) if _is_range_asked(found) else None
    except UnsatisfiableError:
        answer = problem(416, f"The file has {found.size} bytes, none of them in the Range that was asked for.")
        answer.headers["Content-Range"] = f"bytes */{found.size}"
        return answer
    return _marked(_content(found, wanted), found)


def _is_range_asked(found: FoundFile) -> bool:
    """Whether Range counts: for GET, and under If-Range only for the bytes that it names."""
    condition = request.headers.get("If-Range")
    return request.method == "GET" and condition in (None, f'"{found.sha256}"')


def _content(found: FoundFile, wanted: range | None) -> Response:
    places = range(found.size) if wanted is None else wanted
    try:
        content = services().store.open(found.stored_as, found.sha256, wanted)
    except FileNotFoundError:
        raise NotFound(f"The file {found.name!r} is no more in the file store.") from None
    answer = Response(_pieces(content, len(places)), content_type=found.content_type, direct_passthrough=True)
    answer.call_on_close(content.close)
    answer.content_length = len(places)
    if wanted is not None:
        answer.status_code = 206
        answer.headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{found.size}"
    return answer


def _pieces(content: IO[bytes], length: int) -> Iterator[bytes]:
    """Yield so many bytes; the last of them only once the store has found the whole to be what was stored."""
    held = b""
    while length > 0 and (piece := content.read(min(CHUNK, length))):
        yield held
        held, length = piece, length - len(piece)
    content.read(1)
    yield held


def _marked(answer: Response, found: FoundFile) -> Response:
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
