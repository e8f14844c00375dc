"""Reads the body of an invocation: the event, and the files that came with it."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from handlers.problems import unprocessable
from handlers.services import Services
from workqueue import events
from workqueue.errors import BadEventError, EventTooLargeError
from workqueue.files.file_names import file_name_problem
from workqueue.files.store import StoredFile, content_type, forget

EVENT_PART = "event"
KIND = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
OVERHEAD = 64 * 1024  # of a multipart body: boundaries and part headers
ACCEPTED = "Send application/json, or multipart/form-data with a part `event` (JSON) and file parts."
BATCH_EVENTS_BYTES = 16  # so many of the largest events in a batch: its values take many times its bytes of memory


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was posted. digest: stands for the body, whatever boundary a client chose."""

    event: Any
    files: tuple[StoredFile, ...]
    digest: bytes


def read(services: Services, request_id: UUID) -> Invocation:
    """The posted event and files; the files are in the store then, under `request_id`.

    Raises 400, 413, 415 and 422; the store is left as it was.
    """
    if request.mimetype == "multipart/form-data":
        return _multipart(services, request_id)
    body = json_body(services.limits.max_event_bytes)
    return Invocation(events.event(body, services.limits.max_event_bytes), (), body)


def json_body(max_bytes: int) -> bytes:
    """The body of a JSON request, at most `max_bytes` long. Raises 413, 415."""
    request.max_content_length = max_bytes + 1  # one more, because a chunked body is cut there without a word
    is_json = request.mimetype == "application/json" or request.mimetype.endswith("+json")
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        _too_large(max_bytes)
    if len(body) > max_bytes:
        _too_large(max_bytes)
    if body and not is_json:
        raise UnsupportedMediaType(f"The body is {request.mimetype or 'of no named type'}. {ACCEPTED}")
    return body


def _too_large(max_bytes: int) -> NoReturn:
    raise EventTooLargeError(f"The body is larger than the {max_bytes} bytes that are allowed.")


def batch(services: Services, most: int) -> list[Any]:
    """The events of a batch. Raises BadEventError, EventTooLargeError, and 422 for what is no array of 1 to `most`."""
    largest = services.limits.max_event_bytes
    limit = min(services.limits.max_upload_bytes, BATCH_EVENTS_BYTES * largest)
    body = json_body(limit)
    found = events.parse(body, limit)
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        raise unprocessable("body", f"an array of 1 to {most} events is needed")
    if len(body) > largest:  # else each of them fits
        for place, event in enumerate(found):
            if len(json.dumps(event, ensure_ascii=False).encode()) > largest:
                raise EventTooLargeError(f"Event {place} has more than the {largest} bytes that are allowed.")
    return found


def _multipart(services: Services, request_id: UUID) -> Invocation:
    limits = services.limits
    request.max_content_length = limits.max_upload_bytes + limits.max_event_bytes + OVERHEAD
    request.max_form_memory_size = limits.max_event_bytes
    try:
        parts = request.files
    except RequestEntityTooLarge:
        raise EventTooLargeError(
            f"The files may have {limits.max_upload_bytes} bytes, the event {limits.max_event_bytes}."
        ) from None
    if not parts and not request.form:
        raise BadEventError("The body holds no part: is its boundary the one of the header?")
    raw = _event_part(limits.max_event_bytes)
    event = events.event(raw, limits.max_event_bytes)
    files = {name: _only(name, parts.getlist(name)) for name in parts if name != EVENT_PART}
    try:
        stored = tuple(_store(services, request_id, name, file) for name, file in files.items())
        if sum(file.size for file in stored) > limits.max_upload_bytes:
            raise EventTooLargeError(f"The files may have {limits.max_upload_bytes} bytes together.")
    except BaseException:
        forget(services.store, request_id)
        raise
    digest = hashlib.sha256(raw)
    for file in stored:
        digest.update(f"\0{file.name}\0{file.filename}\0{file.sha256}".encode())
    return Invocation(event, stored, digest.digest())


def _event_part(max_bytes: int) -> bytes:
    """The part `event`: a field, or a file whose content is the event; of one that is too large, so much as tells."""
    if None in {*request.form, *request.files}:
        raise BadEventError("A part has no name, or one that cannot be read.")
    for name in request.form:
        if name != EVENT_PART:
            raise unprocessable(name, "unknown field: data goes into the part `event` as JSON, files have a filename")
    fields = request.form.getlist(EVENT_PART)
    files = request.files.getlist(EVENT_PART)
    if len(fields) + len(files) > 1:
        raise unprocessable(EVENT_PART, "is given more than once")
    if fields:
        try:
            return fields[0].encode()
        except UnicodeEncodeError:
            raise BadEventError("The part `event` is not UTF-8.") from None
    return files[0].read(max_bytes + 1) if files else b""


def _only(name: str, found: list[FileStorage]) -> FileStorage:
    if len(found) > 1:
        raise unprocessable(name, "is given more than once: name each file part differently")
    for text in (name, found[0].filename or name):
        if reason := file_name_problem(text):
            raise unprocessable(name, f"{text!r} cannot be a file name: {reason}")
    return found[0]


def _store(services: Services, request_id: UUID, name: str, file: FileStorage) -> StoredFile:
    stored = services.store.put(request_id, "in", name, file.stream)
    filename = file.filename or name
    told = file.mimetype if KIND.fullmatch(file.mimetype) else ""  # it goes back into a header
    kind = told if told not in ("", "application/octet-stream") else content_type(filename)
    return StoredFile(name, filename, stored.size, kind, stored.sha256, stored.stored_as)
