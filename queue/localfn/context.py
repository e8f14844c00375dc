"""What a function knows about its own request, and how it reports progress and files."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from localfn.errors import LocalfnError
from localfn.file_names import file_name_problem

OUTPUT_FOLDER = ".output"  # in the working directory; the worker takes the output files from here
MAX_OUTPUT_FILES = 1_000  # of one attempt
PROGRESS_INTERVAL_S = 0.1  # bare fractions that come quicker are dropped: nobody reads them


def _silent(fraction: float | None, message: str | None) -> None:
    """Progress of a context that no worker listens to (a test, a shell)."""


class Context:
    """Given to the function and its hooks as the second argument.

    request_id, function_name: texts. attempt, max_attempts: whole numbers from 1.
    deadline: aware datetime (UTC) at which the sandbox is killed.
    workdir: Path of the working directory, also the current directory; removed after the request.
    traceparent: W3C Trace Context of this attempt, for calls to others.
    files: name of the upload -> its Path. logger: lands in the request's log.
    """

    def __init__(
        self,
        *,
        request_id: str,
        function_name: str,
        workdir: str | Path,
        attempt: int = 1,
        max_attempts: int = 1,
        traceparent: str = "",
        deadline: datetime | None = None,
        remaining_s: float | None = None,
        files: Mapping[str, str | Path] | None = None,
        report: Callable[[float | None, str | None], None] = _silent,
    ) -> None:
        self.request_id = request_id
        self.function_name = function_name
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.traceparent = traceparent
        self.deadline = deadline or datetime.max.replace(tzinfo=timezone.utc)
        self.workdir = Path(workdir)
        self.files = {name: Path(path) for name, path in (files or {}).items()}
        self.logger = logging.getLogger(function_name)
        self.saved: list[dict[str, Any]] = []
        self._report = report
        self._reported_at = 0.0
        # The deadline is told by the runtime's clock; how long it still is needs no clock to agree with ours.
        self._ends_at = time.monotonic() + (
            self.deadline.timestamp() - time.time() if remaining_s is None else remaining_s
        )

    def remaining_ms(self) -> int:
        """Milliseconds until the deadline, never below 0."""
        return max(0, int((self._ends_at - time.monotonic()) * 1000))

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Reports how far the work is: a fraction from 0 to 1, a short text, or both."""
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        now = time.monotonic()
        # A text is always passed on: it may be the last for long. Fractions follow one another anyway.
        if message is not None or fraction == 1.0 or now - self._reported_at >= PROGRESS_INTERVAL_S:
            self._reported_at = now
            self._report(fraction, None if message is None else str(message)[:500])

    def save_file(self, path: str | Path, name: str | None = None) -> str:
        """Make the file an output file of the request, kept when the request completes.

        path: a file, relative to the working directory or absolute; its content is taken as it is now.
        name: the name it is downloaded by; default is the file's own. The same name again replaces it.
        Returns the name. Raises LocalfnError for a name that no file can have, no such file, or a file too many.
        """
        source = self.workdir / path
        name = source.name if name is None else name
        if not isinstance(name, str):
            raise LocalfnError(f"save_file: name={name!r} is a {type(name).__name__}; use a text")
        if reason := file_name_problem(name):
            raise LocalfnError(f"save_file: {name!r} cannot be a file name: {reason}")
        if not source.is_file():
            raise LocalfnError(f"save_file: there is no file {str(path)!r}")
        others = [entry for entry in self.saved if entry["name"] != name]
        if len(others) >= MAX_OUTPUT_FILES:
            raise LocalfnError(f"save_file: a request may save {MAX_OUTPUT_FILES} files; put them into an archive")
        folder = self.workdir / OUTPUT_FOLDER
        folder.mkdir(exist_ok=True)
        target = folder / name
        if source != target:
            # A copy, not a link or a move: what the function does to its file afterwards is its own affair.
            shutil.copyfile(source, target)
        self.saved = [*others, {"name": name}]
        return name
