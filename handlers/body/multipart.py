"""Read the parts of a multipart body without changing a byte: werkzeug's parser, less what it replaces in silence."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any

from flask import request
from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from handlers.body.spool import SENDERS, Spool, current_sender
from handlers.http.problems import BadRequestError, invalid_field
from workqueue.errors import BadEventError

EXACT = "iso-8859-1"  # a character for each byte
ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
UNENCODED = ("", "7bit", "8bit", "binary")
UNICODE = ("", "utf-8", "utf8", "us-ascii", "ascii")


@dataclass(frozen=True, slots=True)
class Parts:
    """Hold the parts of a body: those with a filename, and the bytes of those without one."""

    fields: MultiDict[str, bytes]
    files: MultiDict[str, FileStorage]
    spool: Spool

    def close(self) -> None:
        """Forget the bytes of the files."""
        self.spool.close()


def read_parts() -> Parts:
    """Return the parts of the request's body. Raises 400, 415, and RequestEntityTooLarge."""
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise BadEventError("The Content-Type names no boundary; a client's library adds one.")
    spool = Spool()
    try:
        with SENDERS.sending(current_sender()):
            return _parse(boundary, spool)
    except BaseException:
        spool.close()
        raise


def _parse(boundary: str, spool: Spool) -> Parts:
    parser = _Parser(
        stream_factory=spool.add_part,
        max_form_memory_size=request.max_form_memory_size,
        max_form_parts=request.max_form_parts,
    )
    try:
        fields, files = parser.parse(request.stream, boundary.encode(), request.content_length)
    except RequestEntityTooLarge:
        raise
    except UnicodeDecodeError:
        raise BadEventError("A part's header is not UTF-8.") from None
    except ValueError as error:
        raise BadEventError(f"The body is not complete multipart/form-data: {error}.") from None
    if not fields and not files:
        raise BadEventError("The body holds no part: is its boundary the one of the header?")
    if None in {*fields, *files}:
        raise BadEventError("A part has no name, or one that cannot be read.")
    return Parts(
        MultiDict([(name, _exact_bytes(name, value)) for name, value in fields.items(multi=True)]), files, spool
    )


def check_charset(declared: str | None, content: bytes, what: str) -> None:
    """Refuse text that is declared to be in another charset than UTF-8; ASCII is the same in all. Raises 415."""
    if (declared or "").lower() not in UNICODE and not content.isascii():
        raise _charset_error(what)


def _exact_bytes(name: str, value: str) -> bytes:
    try:
        return value.encode(EXACT)
    except UnicodeEncodeError:
        raise _charset_error(f"The part {name!r}") from None


def _charset_error(what: str) -> BadRequestError:
    detail = f"{what} declares another charset than UTF-8; send UTF-8, which is what JSON is written in."
    return BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


class _Parser(MultiPartParser):
    """Leaves each field's bytes as they are: werkzeug puts U+FFFD in place of what it cannot decode."""

    def get_part_charset(self, headers: Headers) -> str:
        _check_part_headers(headers)
        declared = parse_options_header(headers.get("Content-Type"))[1].get("charset", "")
        return EXACT if declared.lower() in UNICODE else "ascii"  # the same in every charset; the rest is marked

    def start_file_streaming(self, event: Any, total_content_length: int | None) -> IO[bytes]:
        _check_part_headers(event.headers)
        return super().start_file_streaming(event, total_content_length)


def _check_part_headers(headers: Headers) -> None:
    disposition = headers.get("Content-Disposition", "")
    # A client that escapes nothing writes a\b for the name a\b, one that escapes writes a\\b; no name may hold it.
    if any(escaped != '"' for escaped in ESCAPE.findall(disposition)):
        raise invalid_field("Content-Disposition", f"a part's name holds a backslash: {disposition}")
    name = headers.get("Content-Transfer-Encoding", "").strip().lower()
    if name not in UNENCODED:
        detail = f"A part has the Content-Transfer-Encoding {name!r}; send its bytes as they are."
        raise BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
