"""Read the body of an answer: in time, decompressed, and never more of it than is allowed."""

from __future__ import annotations

import http.client
import zlib
from contextlib import suppress

from examples.http_call.exchange import Answer
from localfn import Fail

MAX_REASON_BYTES = 500
MAX_REASON_WAIT_S = 0.5
MAX_GZIP_MEMBERS = 100
_PIECE_BYTES = 65_536
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15  # what zlib calls wbits
_GZIP_MAGIC = b"\x1f\x8b"


def read_body(answer: Answer, max_bytes: int) -> bytes:
    """Return the whole body, decompressed; `max_bytes` bounds it before and after.

    Raises Fail when it is larger or compressed in an unknown way, IncompleteRead when it breaks off.
    """
    expected = answer.response.length
    if expected is not None and expected > max_bytes:
        raise Fail(f"the answer has {expected:,} bytes, {max_bytes:,} are allowed (max_bytes)")
    body = bytearray()
    while piece := answer.response.read1(_PIECE_BYTES):
        body += piece
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    if expected is not None and len(body) < expected:
        raise http.client.IncompleteRead(b"", expected - len(body))
    return _decoded(bytes(body), answer.header("Content-Encoding"), max_bytes)


def read_reason(answer: Answer) -> str:
    """Return the part of an error body that arrives within half a second."""
    said = bytearray()
    with suppress(OSError, http.client.HTTPException, ValueError):
        answer.wire.deadline = answer.wire.deadline.at_most(MAX_REASON_WAIT_S)
        while len(said) < MAX_REASON_BYTES and (piece := answer.response.read1(MAX_REASON_BYTES)):
            said += piece
    if said.startswith(_GZIP_MAGIC):
        with suppress(zlib.error):
            said = bytearray(zlib.decompressobj(_GZIP).decompress(said, MAX_REASON_BYTES))
    text = said[:MAX_REASON_BYTES].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _decoded(body: bytes, encodings: str, max_bytes: int) -> bytes:
    """Undo Content-Encoding, the last encoding first."""
    for name in reversed([name.strip().lower() for name in encodings.split(",")]):
        if name in ("gzip", "x-gzip"):
            body = _inflated(body, _GZIP, max_bytes)
        elif name == "deflate":  # with zlib's header, or from some servers without
            has_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
            body = _inflated(body, _ZLIB if has_header else _RAW_DEFLATE, max_bytes)
        elif name not in ("", "identity"):
            raise Fail(f"the answer is compressed as {name[:40]!r}; gzip and deflate can be read")
    return body


def _inflated(body: bytes, wbits: int, max_bytes: int) -> bytes:
    inflated = bytearray()
    for _ in range(MAX_GZIP_MEMBERS):
        stream = zlib.decompressobj(wbits)
        try:
            inflated += stream.decompress(body, max_bytes + 1 - len(inflated))
        except zlib.error as error:
            raise Fail(f"the answer's compressed body is damaged: {error}") from None
        if len(inflated) > max_bytes:
            raise _too_large(max_bytes)
        if not stream.eof and body:
            raise http.client.IncompleteRead(b"")
        body = stream.unused_data
        if wbits != _GZIP or not body.startswith(_GZIP_MAGIC):
            return bytes(inflated)
    raise Fail(f"the answer's compressed body has more than {MAX_GZIP_MEMBERS} parts")


def _too_large(max_bytes: int) -> Fail:
    return Fail(f"the answer has more than the {max_bytes:,} bytes that are allowed (max_bytes)")
