"""Show the progress of a request that the user waits for: one live line on a terminal, one line per change in a log."""

import sys
import time
from typing import Any

import click

from infra.cli.output.formatting import clip, format_seconds, local_time, one_line, relative_time, seconds_between
from infra.cli.output.tables import colour_mode, line_width, print_status

ERASE = "\r\033[K"
BAR_WIDTH = 20


class Progress:
    """Draw on stderr. Times count from the creation of this object."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()
        self._is_live = sys.stderr.isatty()
        self._last = ""

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_at

    def show(self, request: dict[str, Any]) -> None:
        self.update(describe_request(request))

    def update(self, text: str) -> None:
        if self._is_live:
            line = clip(f"{format_seconds(self.elapsed_s):>9}  {text}", line_width() - 1)
            click.echo(f"{ERASE}{line}", nl=False, err=True, color=colour_mode())
        elif text != self._last:
            print_status(f"{format_seconds(self.elapsed_s):>9}  {text}")
        self._last = text

    def clear(self) -> None:
        """Erase the live line, before other output."""
        if self._is_live and self._last:
            click.echo(ERASE, nl=False, err=True, color=True)
        self._last = ""


def describe_request(request: dict[str, Any]) -> str:
    """Return status, attempt, phase, fraction and message, as far as known."""
    if request["status"] == "pending":
        return _describe_pending(request)
    if has_ended(request):
        return displayed_status(request)
    parts = ["processing"]
    if request["attempt"] > 1:
        parts.append(f"attempt {request['attempt']}")
    parts += ["being cancelled"] if request["cancel_requested"] else []
    parts += [request["phase"] or "starting", *_bar(request["progress"]["fraction"])]
    parts.append(one_line(request["progress"]["message"] or ""))
    return "  ".join(part for part in parts if part)


def _describe_pending(request: dict[str, Any]) -> str:
    due = request["available_at"]
    is_later = due is not None and relative_time(due).startswith("in ")
    # The due time, not the remaining time: a line that does not change is logged once.
    state = f"due at {local_time(due)}" if is_later else f"waits in queue {request['queue']}"
    if request["attempt"]:
        state = f"attempt {request['attempt'] + 1} {state}"
    return f"pending  {state}"


def _bar(fraction: float | None) -> list[str]:
    if fraction is None:
        return []
    full = round(max(0.0, min(fraction, 1.0)) * BAR_WIDTH)
    return [f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {fraction:.0%}"]


def displayed_status(request: dict[str, Any]) -> str:
    """Return the status to display: a cancelled request is `failed` in the API, but not a failure of the function."""
    return "cancelled" if request["cancelled"] else str(request["status"])


def has_ended(request: dict[str, Any]) -> bool:
    return request["status"] in ("completed", "failed")


def duration_s(request: dict[str, Any]) -> float | None:
    """Return the seconds from the first start to the end; None before the end."""
    return seconds_between(request["started_at"], request["finished_at"])
