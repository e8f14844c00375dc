"""GET /api/requests/{id}/files/{name} and …/inputs/{name}: download a file, or a byte range of it."""

from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from handlers.files.conditional_headers import (
    UnsatisfiableError,
    are_preconditions_met,
    is_not_modified,
    modified_at,
    parse_range,
)
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
ETAG = Header("ETag", string(), "identifies the content, for If-None-Match, If-Match and If-Range")
MODIFIED = Header("Last-Modified", string(), "when the file was stored")
DISPOSITION = Header("Content-Disposition", string(), "attachment, with the name of the file")
LENGTH = Header("Content-Length", integer(minimum=0), "bytes")
ACCEPT_RANGES = Header("Accept-Ranges", string(enum=["bytes"]), "Range is supported")
CONTENT_RANGE = Header(
    "Content-Range", string(examples=["bytes 0-3/100"]), "the returned byte range and the size of the file"
)
BYTES = {"*/*": string(contentMediaType="application/octet-stream")}
HEADERS = (ETAG, MODIFIED, DISPOSITION, LENGTH, ACCEPT_RANGES)
ANSWERS = (
    Answer(200, "The content of the file.", BYTES, headers=HEADERS),
    Answer(206, "The requested byte range.", BYTES, headers=(*HEADERS, CONTENT_RANGE)),
    Answer(304, "The client has the current file.", headers=(ETAG, MODIFIED)),
)
REQUEST_HEADERS = (
    Header("Range", string(examples=["bytes=0-3"]), "one byte range; several ranges return the whole file"),
    Header("If-Range", string(), "an ETag: Range applies only if the file still has it"),
    Header("If-None-Match", string(), "the ETag of a previous answer"),
    Header("If-Modified-Since", string(), "the Last-Modified of a previous answer; ignored with If-None-Match"),
    Header("If-Match", string(), "ETags: a file with none of them is answered with 412"),
    Header("If-Unmodified-Since", string(), "a time: a file stored later is answered with 412; ignored with If-Match"),
)


@blueprint.get("/<id>/files/<path:name>")
@require(Permission.FOLLOW)
@operation(
    "Download a file of a request",
    *ANSWERS,
    description="Returns the output with this name, or else the upload with this name.",
    path=ID,
    headers=REQUEST_HEADERS,
    errors=(404, 412, 416),
)
def file(id: str, name: str) -> Response:
    return _send_file(id, name, ("output", "input"))


@blueprint.get("/<id>/inputs/<path:name>")
@require(Permission.FOLLOW)
@operation(
    "Download an upload of a request",
    *ANSWERS,
    description="The name is that of the form part.",
    path=ID,
    headers=REQUEST_HEADERS,
    errors=(404, 412, 416),
)
def input_file(id: str, name: str) -> Response:
    return _send_file(id, name, ("input",))


def _send_file(id: str, name: str, kinds: tuple[str, ...]) -> Response:
    """Return the file of this name of the first kind that has one. Raises 404."""
    _, files = queries.find_request(get_services().engine, query.parse_request_id(id))
    by_kind = {file.kind: file for file in files if file.name == name}
    file = next((by_kind[kind] for kind in kinds if kind in by_kind), None)
    if file is None:
        raise NotFound(f"The request has no file {query.quote(name)}.")
    if not are_preconditions_met(file):
        return problem_response(412, "If-Match or If-Unmodified-Since names another version of the file.")
    if is_not_modified(file):
        return _add_headers(Response(status=304), file)
    range_header = request.headers.get("Range") if _does_range_apply(file) else None
    try:
        wanted = parse_range(range_header, file.size)
    except UnsatisfiableError:
        answer = problem_response(416, f"The file has {file.size} bytes; the Range {range_header!r} has none of them.")
        answer.headers["Content-Range"] = f"bytes */{file.size}"
        return answer
    return _add_headers(_file_response(file, wanted), file)


def _does_range_apply(file: RequestFile) -> bool:
    """Return whether Range applies: for GET, and with If-Range only if the file still has that ETag."""
    condition = request.headers.get("If-Range")
    return request.method == "GET" and condition in (None, f'"{file.sha256}"')


def _file_response(file: RequestFile, wanted: range | None) -> Response:
    positions = range(file.size) if wanted is None else wanted
    try:
        content = get_services().store.open(file.stored_as, file.sha256, wanted)
    except FileNotFoundError:
        raise NotFound(f"The file {file.name!r} is missing in the file store.") from None
    answer = Response(_stream(content, len(positions)), content_type=file.content_type, direct_passthrough=True)
    answer.call_on_close(content.close)
    answer.content_length = len(positions)
    if wanted is not None:
        answer.status_code = 206
        answer.headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{file.size}"
    return answer


def _stream(content: IO[bytes], length: int) -> Iterator[bytes]:
    """Yield `length` bytes. Yield the last chunk only after the store had the chance to verify the file."""
    pending = b""
    while length > 0 and (chunk := content.read(min(CHUNK, length))):
        yield pending
        pending, length = chunk, length - len(chunk)
    content.read(1)  # a store that can verify the checksum does so at the end of the file
    yield pending


def _add_headers(answer: Response, file: RequestFile) -> Response:
    answer.set_etag(file.sha256)
    answer.last_modified = modified_at(file)
    if answer.status_code == 304:
        return answer
    answer.headers["Accept-Ranges"] = "bytes"
    # RFC 6266: an ASCII name for old clients, and the encoded one with all characters.
    plain = file.filename.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    encoded = quote(file.filename, safe="")
    answer.headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    # A browser that displays the file runs no script of it and lets it send no request.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    return answer
