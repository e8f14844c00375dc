"""Reads the body of an invocation: the event, and the files that came with it."""

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
REPLACEMENT_CHARACTER = "\ufffd"  # what stands for bytes that are no character
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
OVERHEAD = 64 * 1024  # of a multipart body: boundaries and part headers
ACCEPTED = "Send application/json, or multipart/form-data with a part `event` (JSON) and file parts."
BATCH_EVENTS_BYTES = 16  # so many of the largest events may a batch have
# How much memory a body takes, times its bytes: as texts of events, as those of a batch, as objects.
EVENT_WEIGHT, BATCH_WEIGHT, OBJECTS_WEIGHT = 8, 3, 50
SMALL_BATCH_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Invocation:
    """Hold what was posted."""

    event: JsonText
    files: tuple[StoredFile, ...]


def read_invocation(services: Services, request_id: UUID) -> Invocation:
    """The posted event and files; the files are in the store then, under `request_id`.

    Raises 400, 413, 415 and 422; the store is left as it was.
    """
    if request.mimetype == "multipart/form-data":
        return _read_multipart(services, request_id)
    body = read_json_body(services.limits.max_event_bytes, EVENT_WEIGHT)
    return Invocation(event_json.read_event(body, services.limits.max_event_bytes), ())


def read_json_body(max_bytes: int, weight: int = OBJECTS_WEIGHT) -> bytes:
    """Return the body of a JSON request, at most `max_bytes` long. Raises 413, 415, and 503 when memory is short.

    weight: times the body's bytes, how much memory the call takes.
    """
    request.max_content_length = max_bytes + 1  # one more, because a chunked body is cut there without a word
    decompress(max_bytes)
    is_json = request.mimetype == "application/json" or request.mimetype.endswith("+json")
    try:
        body = receive_body(request.stream, max_bytes, weight)
    except RequestEntityTooLarge:
        _raise_too_large(max_bytes)
    if len(body) > max_bytes:
        _raise_too_large(max_bytes)
    if body and not is_json:
        raise UnsupportedMediaType(f"The body is {request.mimetype or 'of no named type'}. {ACCEPTED}")
    check_charset(request.mimetype_params.get("charset"), body, "The body")
    return body


def _raise_too_large(max_bytes: int) -> NoReturn:
    raise EventTooLargeError(f"The body is larger than the {max_bytes} bytes that are allowed.")


def read_batch(services: Services, most: int) -> list[Any]:
    """Return the events of a batch, as values or as their JsonText.

    Raises BadEventError, EventTooLargeError, 503, and 422 for what is no array of 1 to `most` events.
    """
    largest = services.limits.max_event_bytes
    body = read_json_body(min(services.limits.max_upload_bytes, BATCH_EVENTS_BYTES * largest), BATCH_WEIGHT)
    try:
        return _parse_events(body, largest, most)
    except InvalidBatchError:
        raise invalid_field("body", f"an array of 1 to {most} events is needed") from None


def _parse_events(body: bytes, largest: int, most: int) -> list[Any]:
    if len(body) > min(SMALL_BATCH_BYTES, largest):
        return BatchReader(body, largest).read(most)
    memory_budget.reserve(OBJECTS_WEIGHT * len(body))  # to parse a small one at once takes half the time
    found = event_json.parse(body, largest)
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        raise InvalidBatchError
    return found


def _read_multipart(services: Services, request_id: UUID) -> Invocation:
    limits = services.limits
    request.max_content_length = limits.max_upload_bytes + limits.max_event_bytes + OVERHEAD
    request.max_form_memory_size = limits.max_event_bytes
    decompress(request.max_content_length)
    try:
        parts = read_parts()
    except RequestEntityTooLarge:
        raise EventTooLargeError(
            f"The files may have {limits.max_upload_bytes} bytes, the event {limits.max_event_bytes}."
        ) from None
    try:
        return _store_files(services, request_id, parts)
    finally:
        parts.close()


def _store_files(services: Services, request_id: UUID, parts: Parts) -> Invocation:
    """Store the files of a multipart body; the store is left as it was when that fails."""
    limits = services.limits
    raw = _read_event_part(parts, limits.max_event_bytes)
    event = event_json.read_event(raw, limits.max_event_bytes)
    files = {name: _single_file(name, parts.files.getlist(name)) for name in parts.files if name != EVENT_PART}
    try:
        stored = tuple(_store_file(services, request_id, name, file) for name, file in files.items())
        if sum(file.size for file in stored) > limits.max_upload_bytes:
            raise EventTooLargeError(f"The files may have {limits.max_upload_bytes} bytes together.")
    except BaseException:
        remove_if_possible(services.store, request_id)
        raise
    return Invocation(event, stored)


def _read_event_part(parts: Parts, max_bytes: int) -> bytes:
    """Return the part `event`: a field, or a file that holds it; of one that is too large, so much as tells."""
    for name in parts.fields:
        if name != EVENT_PART:
            raise invalid_field(name, "unknown field: data goes into the part `event` as JSON, files have a filename")
    fields = parts.fields.getlist(EVENT_PART)
    files = parts.files.getlist(EVENT_PART)
    if len(fields) + len(files) > 1:
        raise invalid_field(EVENT_PART, "is given more than once")
    if fields:
        return fields[0]
    content = files[0].read(max_bytes + 1) if files else b""
    check_charset(files[0].mimetype_params.get("charset") if files else None, content, "The part 'event'")
    return content


def _single_file(name: str, found: list[FileStorage]) -> FileStorage:
    if len(found) > 1:
        raise invalid_field(name, "is given more than once: name each file part differently")
    for text in (name, found[0].filename or name):
        reason = (
            "a character of it cannot be read; send it in UTF-8"
            if REPLACEMENT_CHARACTER in text
            else file_name_problem(text)
        )
        if reason:
            raise invalid_field(name, f"{text!r} cannot be a file name: {reason}")
    return found[0]


def _store_file(services: Services, request_id: UUID, name: str, file: FileStorage) -> StoredFile:
    stored = services.store.put(request_id, "in", name, file.stream)
    filename = file.filename or name
    told = file.mimetype if MEDIA_TYPE.fullmatch(file.mimetype) else ""  # it goes back into a header
    kind = told if told not in ("", "application/octet-stream") else guess_content_type(filename)
    return StoredFile(name, filename, stored.size, kind, stored.sha256, stored.stored_as)
