"""Give a function its request: ids, attempt, deadline and files; report progress and save output files."""

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
PROGRESS_INTERVAL_S = 0.1  # fractions that come quicker are dropped: the pages and the API do not show them


def _ignore_progress(fraction: float | None, message: str | None) -> None:
    """Ignore progress: the context was made in a test or a shell, without a worker."""


class Context:
    """Describe one attempt of a request: the second argument of a function and of its hooks.

    request_id: text, the UUID of the request; the same for all its attempts.
    function_name: text.
    attempt: whole number from 1; each start counts one.
    max_attempts: whole number from 1; failures of the function that end the request.
    deadline: aware datetime (UTC) at which the runtime kills the sandbox.
    workdir: Path of the working directory, also the current directory; removed after the request.
    files: dict, name of an upload -> Path of its content.
    logger: logging.Logger; its lines are stored in the request's log.
    traceparent: text, W3C Trace Context of this attempt, a header for calls to other services.

    In a test, make one by hand::

        context = Context(request_id="1", function_name="hello", workdir=tmp_path)
        assert hello({"name": "Ada"}, context) == {"hello": "Ada"}
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
        report: Callable[[float | None, str | None], None] = _ignore_progress,
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
        # `deadline` is a time of the runtime's clock. Seconds that remain hold even if this machine's clock differs.
        self._ends_at = time.monotonic() + (
            self.deadline.timestamp() - time.time() if remaining_s is None else remaining_s
        )

    def remaining_ms(self) -> int:
        """Return the whole milliseconds until the deadline, 0 when it has passed."""
        return max(0, int((self._ends_at - time.monotonic()) * 1000))

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Report how far the work is; the pages, the API and `localfn functions invoke --wait` show it.

        fraction: from 0 to 1; other numbers are clamped.
        message: short text; 500 characters are kept.

        Call it as often as is convenient: at most ten bare fractions a second are sent, each message is. Example::

            for done, row in enumerate(rows):
                context.progress(done / len(rows), f"{done} rows")
        """
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        now = time.monotonic()
        # Send each message: the next one may come late. A dropped fraction is soon followed by another.
        if message is not None or fraction == 1.0 or now - self._reported_at >= PROGRESS_INTERVAL_S:
            self._reported_at = now
            self._report(fraction, None if message is None else str(message)[:500])

    def save_file(self, path: str | Path, name: str | None = None) -> str:
        """Copy a file to the output files of the request, and return its name; they are kept when it completes.

        path: text or Path, relative to the working directory or absolute. Later changes of the file do not count.
        name: name of the download, 1 to 255 bytes; default: the file's own name. A second file of a name replaces
            the first.

        Raises LocalfnError if the name cannot be a file name, if there is no such file, and above 1,000 files.
        Example::

            report = context.workdir / "report.csv"
            report.write_text("a,b\\n1,2\\n")
            context.save_file(report)
        """
        source = self.workdir / path
        name = source.name if name is None else name
        if not isinstance(name, str):
            raise LocalfnError(f"save_file: name={name!r} is a {type(name).__name__}; use a str")
        if reason := file_name_problem(name):
            raise LocalfnError(f"save_file: {name!r} cannot be a file name: {reason}")
        if not source.is_file():
            raise LocalfnError(f"save_file: there is no file {str(path)!r}; write it before you save it")
        others = [entry for entry in self.saved if entry["name"] != name]
        if len(others) >= MAX_OUTPUT_FILES:
            raise LocalfnError(f"save_file: a request may save {MAX_OUTPUT_FILES} files; put them into an archive")
        folder = self.workdir / OUTPUT_FOLDER
        folder.mkdir(exist_ok=True)
        target = folder / name
        if source != target:
            self._require_own_file(target, others)
            # A copy, not a link or a move: the function may change or remove its file afterwards.
            shutil.copyfile(source, target)
        self.saved = [*others, {"name": name}]
        return name

    @staticmethod
    def _require_own_file(target: Path, others: list[dict[str, Any]]) -> None:
        """Raise LocalfnError if another saved name leads to the same file: macOS does not distinguish case."""
        for other in others if target.exists() else ():
            path = target.parent / other["name"]
            if path.exists() and path.samefile(target):
                raise LocalfnError(
                    f"save_file: {target.name!r} is the same file as {other['name']!r} on this system; use another name"
                )
