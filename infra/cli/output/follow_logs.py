"""Print the log lines of a request, and follow them until the request has ended."""

import json
import time

from infra.api_client import Client, request_path
from infra.cli.output.follow_request import POLL_INTERVAL_S, WaitLimit
from infra.cli.output.formatting import format_seconds, parse_time
from infra.cli.output.progress import Progress, duration_s, has_ended
from infra.cli.output.tables import print_data, print_status

# The cleanup hook runs after the request has ended: its lines appear after the final status.
CLEANUP_S = 2.0
CLEANUP_POLL_S = 0.1


class LogFollower:
    """Print the log of one request. Remember the cursor behind the last printed line."""

    def __init__(self, client: Client, request_id: str, attempt: int | None, as_json: bool) -> None:
        self._client, self._request_id = client, request_id
        self._attempt, self._as_json = attempt, as_json
        self._after: str | None = None

    def print_new(self, *, current: bool = True) -> None:
        """Print all lines since the last call, page by page.

        current: include a last line that is still incomplete. A follower prints it once it is complete.
        """
        path = request_path(self._request_id, "logs")
        while True:
            wanted = {"attempt": self._attempt, "after": self._after, "current": None if current else "false"}
            lines, self._after = self._client.get_lines(path, **wanted)
            if not lines:
                return
            print_data("\n".join(map(to_json if self._as_json else to_local_time, lines)))

    def follow(self) -> None:
        """Print lines until the request has ended, then its status. Wait for a runtime that restarts."""
        wait_limit = WaitLimit(self._request_id, None, Progress())
        path, wait_s = request_path(self._request_id), 0
        while True:
            request = wait_limit.retry(lambda _, wait_s=wait_s: self._client.get(path, wait=wait_s))  # type: ignore[misc]
            wait_limit.retry(lambda _: self.print_new(current=False))
            if has_ended(request):
                break
            wait_s = POLL_INTERVAL_S
        self._print_cleanup(wait_limit)
        print_status(f"{request['status']} in {format_seconds(duration_s(request))}")

    def _print_cleanup(self, wait_limit: WaitLimit) -> None:
        path, ends_at = request_path(self._request_id, "attempts"), time.monotonic() + CLEANUP_S
        while time.monotonic() < ends_at:
            attempts = wait_limit.retry(lambda _: self._client.get(path))["items"]
            if not attempts or any(phase["phase"] == "cleanup" for phase in attempts[-1]["phases"]):
                break
            time.sleep(CLEANUP_POLL_S)
        wait_limit.retry(lambda _: self.print_new(current=False))


def to_local_time(line: str) -> str:
    """Return the line with its time in this machine's zone, as in all commands."""
    time_, _, rest = line.partition(" ")
    return f"{parse_time(time_).astimezone().isoformat(timespec='milliseconds')} {rest}"


def to_json(line: str) -> str:
    time_, attempt, stream, text = line.split(" ", 3)
    found = {"time": time_, "attempt": int(attempt), "stream": stream, "text": text}
    return json.dumps(found)
