"""Prints a request's log lines, and follows them until the request has ended."""

import json
import time

from infra.api_client import Client, request_path
from infra.cli.output.follow_request import LOOK_EVERY_S, WaitLimit
from infra.cli.output.formatting import moment, seconds
from infra.cli.output.progress import Progress, is_over, took_s
from infra.cli.output.tables import emit, note

# The cleanup hook runs after the request has ended, and its lines come later than the status.
CLEANUP_S = 2.0
PAUSE_S = 0.1


class Tail:
    """What has been printed of one request's log, and what comes next."""

    def __init__(self, client: Client, request_id: str, attempt: int | None, as_json: bool) -> None:
        self._client, self._request_id = client, request_id
        self._attempt, self._as_json = attempt, as_json
        self._after: str | None = None

    def print_new(self, *, current: bool = True) -> None:
        """Print all since the last time; an answer holds only so many lines.

        current: at first also the lines that have no end yet. Who follows gets them when they have one.
        """
        path = request_path(self._request_id, "logs")
        while True:
            wanted = {"attempt": self._attempt, "after": self._after, "current": None if current else "false"}
            lines, self._after = self._client.get_lines(path, **wanted)
            if not lines:
                return
            emit("\n".join(map(as_object if self._as_json else in_local_time, lines)))

    def follow(self) -> None:
        """Prints until the request has ended, and says how. A runtime that restarts is waited for."""
        patience = WaitLimit(self._request_id, None, Progress())
        path, wait_s = request_path(self._request_id), 0
        while True:
            request = patience.ask(lambda _, wait_s=wait_s: self._client.get(path, wait=wait_s))  # type: ignore[misc]
            patience.ask(lambda _: self.print_new(current=False))
            if is_over(request):
                break
            wait_s = LOOK_EVERY_S
        self._print_cleanup(patience)
        note(f"{request['status']} in {seconds(took_s(request))}")

    def _print_cleanup(self, patience: WaitLimit) -> None:
        path, ends_at = request_path(self._request_id, "attempts"), time.monotonic() + CLEANUP_S
        while time.monotonic() < ends_at:
            attempts = patience.ask(lambda _: self._client.get(path))["items"]
            if not attempts or any(phase["phase"] == "cleanup" for phase in attempts[-1]["phases"]):
                break
            time.sleep(PAUSE_S)
        patience.ask(lambda _: self.print_new(current=False))


def in_local_time(line: str) -> str:
    """Return the line with its time in this machine's zone, as all commands tell times."""
    time_, _, rest = line.partition(" ")
    return f"{moment(time_).astimezone().isoformat(timespec='milliseconds')} {rest}"


def as_object(line: str) -> str:
    moment, attempt, stream, text = line.split(" ", 3)
    found = {"time": moment, "attempt": int(attempt), "stream": stream, "text": text}
    return json.dumps(found)
