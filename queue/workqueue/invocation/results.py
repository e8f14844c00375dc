"""Run phase 3 up to the commit point: validate the result, and put output files into the store."""

import json
import os

from schema.statuses import Phase
from workqueue import event_json
from workqueue.errors import BadEventError
from workqueue.files.store import StoredFile, file_name_problem, open_regular
from workqueue.invocation import sandbox_session
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.context import ExecutionContext
from workqueue.invocation.infrastructure_faults import retry_storage
from workqueue.outcomes import FunctionFailedError
from workqueue.sandboxes.connection import Frame

MAX_DEPTH = 500  # levels of nesting that every JSON reader can follow; the limit of the SDK (localfn.outcome.result)
OUTPUT_FOLDER = ".output"  # where the SDK's save_file puts files (localfn.context)
MAX_OUTPUT_FILES = 1_000  # of one attempt; localfn.context refuses more
MAX_OUTPUT_BYTES = 10 * 1024**3  # of all output files of one attempt together


def save_result(context: ExecutionContext, attempt: Attempt, answer: Frame) -> tuple[str, list[StoredFile]]:
    """Return the result as JSON text, and the stored output files."""
    try:
        with attempt.in_phase(Phase.SAVE):
            data = _validate_result(answer.body)
            names = list(dict.fromkeys(str(entry["name"]) for entry in answer.head["files"]))
            return data, _store_all(context, attempt, names)
    except Exception:
        # The SDK does not send an answer that cannot be saved: user code did, so the sandbox is not trusted any more.
        sandbox_session.kill_sandbox(context, attempt)
        raise


def _validate_result(result: bytes) -> str:
    """Return the result as text if it is valid JSON. User code can bypass the checks of the SDK."""
    try:
        text = result.decode()
        event_json.check_depth(result, MAX_DEPTH)
        event_json.check_characters(text)
        json.loads(text, parse_constant=event_json.reject_constant, parse_float=event_json.parse_finite)
    except (ValueError, RecursionError, BadEventError) as error:
        raise FunctionFailedError(f"The result is not JSON: {error}", error_type="ResultNotSerializable") from None
    return text


def _store_all(context: ExecutionContext, attempt: Attempt, names: list[str]) -> list[StoredFile]:
    if len(names) > MAX_OUTPUT_FILES:
        raise _too_large(f"The function saved {len(names)} output files, {MAX_OUTPUT_FILES} are allowed.")
    stored: list[StoredFile] = []
    for name in names:
        stored.append(_store_output(context, attempt, name, MAX_OUTPUT_BYTES - sum(file.size for file in stored)))
    return stored


def _too_large(message: str) -> FunctionFailedError:
    return FunctionFailedError(f"{message} Save them as one archive, or fewer.", error_type="OutputTooLarge")


def _store_output(context: ExecutionContext, attempt: Attempt, name: str, left_bytes: int) -> StoredFile:
    if reason := file_name_problem(name):  # the SDK validates it, too, but user code can bypass the SDK
        raise FunctionFailedError(f"The output file {name[:100]!r}: {reason}.", error_type="OutputFileMissing")
    path = context.working_directory.path / OUTPUT_FOLDER / name

    def put() -> StoredFile:
        with context.working_directory.as_sandbox_user():
            source = open_regular(path)
        with source:
            if os.fstat(source.fileno()).st_size > left_bytes:
                raise _too_large(f"The output files have more than {MAX_OUTPUT_BYTES} bytes together, with {name!r}.")
            return context.store.put(attempt.request_id, attempt.claim.part, name, source)

    try:
        return retry_storage(context, attempt, put)
    except OSError as error:
        raise FunctionFailedError(f"The output file {name!r}: {error}.", error_type="OutputFileMissing") from None
