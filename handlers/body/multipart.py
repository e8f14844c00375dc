"""Read the parts of a multipart body byte for byte: the parser of werkzeug silently replaces invalid UTF-8."""

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

BYTE_CHARSET = "iso-8859-1"  # one character for each byte
ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
UNENCODED = ("", "7bit", "8bit", "binary")
UTF_8 = ("", "utf-8", "utf8", "us-ascii", "ascii")


@dataclass(frozen=True, slots=True)
class Parts:
    """files: the parts with a filename. fields: the bytes of the other parts."""

    fields: MultiDict[str, bytes]
    files: MultiDict[str, FileStorage]
    spool: Spool

    def close(self) -> None:
        """Delete the bytes of the files."""
        self.spool.close()


def read_parts() -> Parts:
    """Return the parts of the request's body. Raises 400, 415, and RequestEntityTooLarge."""
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise BadEventError("The Content-Type has no boundary; let the HTTP library of the client set this header.")
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
        raise BadEventError("The header of a part is not valid UTF-8.") from None
    except ValueError as error:
        raise BadEventError(f"The body is not valid multipart/form-data: {error}.") from None
    if not fields and not files:
        raise BadEventError("The body has no parts; check that its boundary is the one in Content-Type.")
    if None in {*fields, *files}:
        raise BadEventError("A part has no readable name; send Content-Disposition with a name in UTF-8.")
    return Parts(
        MultiDict([(name, _exact_bytes(name, value)) for name, value in fields.items(multi=True)]), files, spool
    )


def check_charset(declared: str | None, content: bytes, what: str) -> None:
    """Reject text whose declared charset is not UTF-8, unless it is ASCII. Raises 415. what: subject of the error."""
    if (declared or "").lower() not in UTF_8 and not content.isascii():
        raise _charset_error(what)


def _exact_bytes(name: str, value: str) -> bytes:
    try:
        return value.encode(BYTE_CHARSET)
    except UnicodeEncodeError:
        raise _charset_error(f"The part {name!r}") from None


def _charset_error(what: str) -> BadRequestError:
    detail = f"{what} has another charset than UTF-8; send UTF-8."
    return BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


class _Parser(MultiPartParser):
    """Keep the bytes of each field: werkzeug replaces bytes that it cannot decode by U+FFFD."""

    def get_part_charset(self, headers: Headers) -> str:
        _check_part_headers(headers)
        declared = parse_options_header(headers.get("Content-Type"))[1].get("charset", "")
        # ASCII is the same in every charset. Other bytes become U+FFFD, which _exact_bytes rejects.
        return BYTE_CHARSET if declared.lower() in UTF_8 else "ascii"

    def start_file_streaming(self, event: Any, total_content_length: int | None) -> IO[bytes]:
        _check_part_headers(event.headers)
        return super().start_file_streaming(event, total_content_length)


def _check_part_headers(headers: Headers) -> None:
    disposition = headers.get("Content-Disposition", "")
    # Ambiguous: some clients write the name a\b as a\b, others as a\\b. So no name may contain a backslash.
    if any(escaped != '"' for escaped in ESCAPE.findall(disposition)):
        raise invalid_field(
            "Content-Disposition", f"{disposition!r} has a backslash; remove it from the name of the part"
        )
    name = headers.get("Content-Transfer-Encoding", "").strip().lower()
    if name not in UNENCODED:
        detail = f"A part has the Content-Transfer-Encoding {name!r}; send its bytes unencoded."
        raise BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
