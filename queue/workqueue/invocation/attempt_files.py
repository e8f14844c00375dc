"""The files of an attempt: copy uploads into its working directory, and its output files into the store.

These functions block; the worker runs them in threads.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import TypeVar

from workqueue.files.store import FileStore, StoredFile, file_name_problem, open_regular
from workqueue.files.working_directory import WorkingDirectory
from workqueue.invocation import failure
from workqueue.invocation.attempt import Attempt
from workqueue.outcomes import FunctionFailedError
from workqueue.telemetry import trace_context

INPUT_FOLDER = "input"
OUTPUT_FOLDER = ".output"  # where the SDK's save_file puts files (localfn.context)
MAX_OUTPUT_FILES = 1_000  # of one attempt; localfn.context refuses more
MAX_OUTPUT_BYTES = 10 * 1024**3  # of all output files of one attempt together
MAX_STORE_S = 60.0  # how long a result waits for the file store before the request runs again
STORE_PAUSE_S = 1.0

Found = TypeVar("Found")


def input_paths(inputs: Sequence[StoredFile], directory: Path) -> dict[StoredFile, Path]:
    """Return the path of each upload: its file name, in a folder named by its form part.

    Two parts may have files of the same name, and functions look at the extension.
    """
    return {file: directory / INPUT_FOLDER / file.name / file.filename for file in inputs}


def describe(attempt: Attempt, directory: Path) -> dict[str, object]:
    """Return the fields that describe an attempt to its sandbox."""
    claim = attempt.claim
    return {
        "request_id": str(claim.request_id),
        "attempt": claim.attempt,
        "max_attempts": claim.max_attempts,
        "traceparent": trace_context.traceparent_for_user_code(claim),
        "files": {file.name: str(path) for file, path in input_paths(claim.inputs, directory).items()},
    }


def copy_inputs(attempt: Attempt, directory: WorkingDirectory, store: FileStore) -> None:
    """Copy the uploads into the working directory. Raises AttemptEndedError."""
    try:
        for file, path in input_paths(attempt.claim.inputs, directory.path).items():
            _copy_input(file, path, directory, store)
    except OSError as error:
        raise failure.storage_unavailable(attempt, error) from None


def _copy_input(file: StoredFile, path: Path, directory: WorkingDirectory, store: FileStore) -> None:
    try:
        source = store.open(file.stored_as, file.sha256)
    except FileNotFoundError:
        raise failure.upload_missing(file) from None
    with source, directory.as_sandbox_user():
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x": user code may have put a link or a pipe there, which must not be followed or waited for.
        with path.open("xb") as target:
            shutil.copyfileobj(source, target)


def store_outputs(
    attempt: Attempt,
    entries: Sequence[Mapping[str, object]],
    directory: WorkingDirectory,
    store: FileStore,
) -> list[StoredFile]:
    """Put the output files into the store. Raises AttemptEndedError."""
    names = list(dict.fromkeys(str(entry["name"]) for entry in entries))
    if len(names) > MAX_OUTPUT_FILES:
        raise _too_large(f"The function saved {len(names)} output files, {MAX_OUTPUT_FILES} are allowed.")
    stored: list[StoredFile] = []
    for name in names:
        left_bytes = MAX_OUTPUT_BYTES - sum(file.size for file in stored)
        stored.append(_store_output(attempt, name, left_bytes, directory, store))
    return stored


def _too_large(message: str) -> FunctionFailedError:
    return FunctionFailedError(f"{message} Save them as one archive, or fewer.", error_type="OutputTooLarge")


def _store_output(
    attempt: Attempt, name: str, left_bytes: int, directory: WorkingDirectory, store: FileStore
) -> StoredFile:
    if reason := file_name_problem(name):  # the SDK validates it, too, but user code can bypass the SDK
        raise FunctionFailedError(f"The output file {name[:100]!r}: {reason}.", error_type="OutputFileMissing")
    path = directory.path / OUTPUT_FOLDER / name

    def put() -> StoredFile:
        with directory.as_sandbox_user():
            source = open_regular(path)
        with source:
            if os.fstat(source.fileno()).st_size > left_bytes:
                raise _too_large(f"The output files have more than {MAX_OUTPUT_BYTES} bytes together, with {name!r}.")
            return store.put(attempt.request_id, attempt.claim.part, name, source)

    try:
        return _retry_storage(attempt, put)
    except OSError as error:
        raise FunctionFailedError(f"The output file {name!r}: {error}.", error_type="OutputFileMissing") from None


def _retry_storage(attempt: Attempt, put: Callable[[], Found]) -> Found:
    """Call `put` until it does not fail for a fault of the machine.

    Raises NoStorageError after a minute, and every other error of `put`.
    """
    ends_at, stop = time.monotonic() + MAX_STORE_S, attempt.stop_saving or Event()
    while True:
        try:
            return put()
        except OSError as error:
            if not failure.is_machine_fault(error):
                raise
            if time.monotonic() >= ends_at or stop.is_set():
                raise failure.storage_unavailable(attempt, error) from None
            failure.log_retry(attempt, error)
        stop.wait(STORE_PAUSE_S)
