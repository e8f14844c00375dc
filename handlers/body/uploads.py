"""Read the body of an invocation: the event and the uploaded files."""

import re
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from handlers.body.content_encoding import decompress
from handlers.body.multipart import Parts, check_charset, read_parts
from handlers.body.spool import receive_body
from handlers.http import memory_budget
from handlers.http.problems import invalid_field
from handlers.services import Services
from workqueue import event_json
from workqueue.errors import EventTooLargeError
from workqueue.event_json import BatchReader, InvalidBatchError, JsonText
from workqueue.files.store import StoredFile, file_name_problem, guess_content_type, remove_if_possible

EVENT_PART = "event"
REPLACEMENT_CHARACTER = "\ufffd"  # what werkzeug writes for bytes that are not UTF-8
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
OVERHEAD = 64 * 1024  # bytes of a multipart body for boundaries and part headers
ACCEPTED = "send application/json, or multipart/form-data with a part `event` (JSON) and file parts."
BATCH_SIZE_FACTOR = 16  # a batch may have 16 times the bytes of the largest event
# Memory that a body takes, as a multiple of its bytes: as the text of one event, as texts of a batch, as objects.
EVENT_WEIGHT, BATCH_WEIGHT, OBJECTS_WEIGHT = 8, 3, 50
SMALL_BATCH_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Invocation:
    """The submitted event and files."""

    event: JsonText
    files: tuple[StoredFile, ...]


def read_invocation(services: Services, request_id: UUID) -> Invocation:
    """Return the submitted event and files. The files are stored under `request_id`.

    Raises 400, 413, 415 and 422; the store is unchanged then.
    """
    if request.mimetype == "multipart/form-data":
        return _read_multipart(services, request_id)
    body = read_json_body(services.limits.max_event_bytes, EVENT_WEIGHT)
    return Invocation(event_json.read_event(body, services.limits.max_event_bytes), ())


def read_json_body(max_bytes: int, weight: int = OBJECTS_WEIGHT) -> bytes:
    """Return the body of a JSON request. Raises 413 above `max_bytes`, 415, and 503 while memory is short.

    weight: memory that the call needs, as a multiple of the bytes of the body.
    """
    request.max_content_length = max_bytes + 1  # + 1: werkzeug silently cuts a chunked body at the limit
    decompress(max_bytes)
    is_json = request.mimetype == "application/json" or request.mimetype.endswith("+json")
    try:
        body = receive_body(request.stream, max_bytes, weight)
    except RequestEntityTooLarge:
        _raise_too_large(max_bytes)
    if len(body) > max_bytes:
        _raise_too_large(max_bytes)
    if body and not is_json:
        raise UnsupportedMediaType(_describe_media_type() + ACCEPTED)
    check_charset(request.mimetype_params.get("charset"), body, "The body")
    return body


def read_json_object(max_bytes: int, fields: str) -> dict[str, Any]:
    """Return the body of a JSON request, which must be an object. fields: its fields, for the error. Raises 422."""
    body = event_json.parse(read_json_body(max_bytes), max_bytes)
    if not isinstance(body, dict):
        raise invalid_field("body", f"must be an object with {fields}")
    return body


def _describe_media_type() -> str:
    return (
        f"The Content-Type {request.mimetype!r} is not supported; " if request.mimetype else "Content-Type is missing; "
    )


def _raise_too_large(max_bytes: int) -> NoReturn:
    raise EventTooLargeError(f"The body is larger than the allowed {max_bytes} bytes.")


def read_batch(services: Services, max_events: int) -> list[Any]:
    """Return the events of a batch, as values or as their JsonText.

    Raises BadEventError, EventTooLargeError, 503, and 422 unless it is an array of 1 to `max_events` events.
    """
    max_event_bytes = services.limits.max_event_bytes
    body = read_json_body(min(services.limits.max_upload_bytes, BATCH_SIZE_FACTOR * max_event_bytes), BATCH_WEIGHT)
    try:
        return _parse_events(body, max_event_bytes, max_events)
    except InvalidBatchError:
        raise invalid_field("body", f"must be an array of 1 to {max_events} events") from None


def _parse_events(body: bytes, max_event_bytes: int, max_events: int) -> list[Any]:
    if len(body) > min(SMALL_BATCH_BYTES, max_event_bytes):
        return BatchReader(body, max_event_bytes).read(max_events)
    memory_budget.reserve(OBJECTS_WEIGHT * len(body))  # parsing a small batch as a whole takes half the time
    events = event_json.parse(body, max_event_bytes)
    if not isinstance(events, list) or not 1 <= len(events) <= max_events:
        raise InvalidBatchError
    return events


def _read_multipart(services: Services, request_id: UUID) -> Invocation:
    limits = services.limits
    request.max_content_length = limits.max_upload_bytes + limits.max_event_bytes + OVERHEAD
    request.max_form_memory_size = limits.max_event_bytes
    decompress(request.max_content_length)
    try:
        parts = read_parts()
    except RequestEntityTooLarge:
        raise EventTooLargeError(
            f"The body is too large; files may have {limits.max_upload_bytes} bytes together, the event "
            f"{limits.max_event_bytes} bytes."
        ) from None
    try:
        return _store_files(services, request_id, parts)
    finally:
        parts.close()


def _store_files(services: Services, request_id: UUID, parts: Parts) -> Invocation:
    """Store the files of a multipart body. The store is unchanged if that fails."""
    limits = services.limits
    raw = _read_event_part(parts, limits.max_event_bytes)
    event = event_json.read_event(raw, limits.max_event_bytes)
    files = {name: _single_file(name, parts.files.getlist(name)) for name in parts.files if name != EVENT_PART}
    try:
        stored = tuple(_store_file(services, request_id, name, file) for name, file in files.items())
        if sum(file.size for file in stored) > limits.max_upload_bytes:
            raise EventTooLargeError(f"The files are larger than the allowed {limits.max_upload_bytes} bytes together.")
    except BaseException:
        remove_if_possible(services.store, request_id)
        raise
    return Invocation(event, stored)


def _read_event_part(parts: Parts, max_bytes: int) -> bytes:
    """Return the part `event`, a field or a file; of a file, the first `max_bytes` + 1 bytes."""
    for name in parts.fields:
        if name != EVENT_PART:
            raise invalid_field(
                name, "is not a known part; send data as JSON in the part `event`, and files with a filename"
            )
    fields = parts.fields.getlist(EVENT_PART)
    files = parts.files.getlist(EVENT_PART)
    if len(fields) + len(files) > 1:
        raise invalid_field(EVENT_PART, "is given more than once; send it once")
    if fields:
        return fields[0]
    content = files[0].read(max_bytes + 1) if files else b""
    check_charset(files[0].mimetype_params.get("charset") if files else None, content, "The part 'event'")
    return content


def _single_file(name: str, parts: list[FileStorage]) -> FileStorage:
    if len(parts) > 1:
        raise invalid_field(name, "is given more than once; give each file part its own name")
    for text in (name, parts[0].filename or name):
        reason = "it is not valid UTF-8" if REPLACEMENT_CHARACTER in text else file_name_problem(text)
        if reason:
            raise invalid_field(name, f"{text!r} is not a valid file name: {reason}")
    return parts[0]


def _store_file(services: Services, request_id: UUID, name: str, file: FileStorage) -> StoredFile:
    stored = services.store.put(request_id, "in", name, file.stream)
    filename = file.filename or name
    # A download returns the type in a header, so only a valid one is stored.
    declared = file.mimetype if MEDIA_TYPE.fullmatch(file.mimetype) else ""
    kind = declared if declared not in ("", "application/octet-stream") else guess_content_type(filename)
    return StoredFile(name, filename, stored.size, kind, stored.sha256, stored.stored_as)
