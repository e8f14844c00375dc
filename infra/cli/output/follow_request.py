"""Wait until a request has ended: survive restarts of the runtime, and stop at the timeout."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from infra.api_client import DEFAULT_TIMEOUT_S, Client, UnreachableError, request_path
from infra.cli.output.progress import Progress, has_ended
from infra.errors import InfraError

Answer = TypeVar("Answer")

MAX_SILENCE_S = 60.0  # without --timeout: how long a runtime may stay unreachable
RETRY_INTERVAL_S = 0.5
# The API answers earlier when the status changes; phase and progress are seen at this interval.
POLL_INTERVAL_S = 1


class WaitedTooLongError(InfraError):
    """The request has not ended within the timeout; it continues."""

    exit_code = 124


class WaitLimit:
    """Limit the wait for one request. timeout_s: None waits until the request has ended."""

    def __init__(
        self, request_id: str, timeout_s: float | None, progress: Progress, silence_s: float = MAX_SILENCE_S
    ) -> None:
        self._request_id, self._timeout_s, self._progress = request_id, timeout_s, progress
        self._silence_s = silence_s
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        return DEFAULT_TIMEOUT_S if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.0)

    def retry(self, call: Callable[[float], Answer]) -> Answer:
        """Return the result of `call`. Call again while the runtime is unreachable.

        call: takes the number of seconds that it may use. Raises UnreachableError after silence_s without an
        answer, WaitedTooLongError after the timeout.
        """
        asked_at = time.monotonic()
        while True:
            try:
                return call(min(self.remaining_s() + POLL_INTERVAL_S, DEFAULT_TIMEOUT_S))
            except UnreachableError as error:
                self.raise_if_over()
                if self._ends_at is None and time.monotonic() - asked_at > self._silence_s:
                    raise UnreachableError(
                        f"{error} It was unreachable for {self._silence_s:g} s; {self._hint()}"
                    ) from error
                self._progress.update(f"the runtime does not answer; retrying ({error})")
            time.sleep(min(RETRY_INTERVAL_S, self.remaining_s()))

    def raise_if_over(self) -> None:
        """Raise WaitedTooLongError when the timeout is over."""
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            raise WaitedTooLongError(f"waited {self._timeout_s:g} s; {self._hint()}")

    def _hint(self) -> str:
        return f"the request continues; see localfn requests show {self._request_id}"


def wait_until_ended(client: Client, request_id: str, wait_limit: WaitLimit, progress: Progress) -> dict[str, Any]:
    """Return the request once it has ended; show its progress until then."""
    path = request_path(request_id)

    def fetch(wait_s: int) -> dict[str, Any]:
        return wait_limit.retry(lambda limit_s: client.get(path, wait=wait_s, timeout_s=limit_s))

    request = fetch(0)
    while not has_ended(request):
        progress.show(request)
        wait_limit.raise_if_over()
        remaining_s = wait_limit.remaining_s()
        if remaining_s < POLL_INTERVAL_S:  # the API waits whole seconds
            time.sleep(remaining_s)
            request = fetch(0)
        else:
            request = fetch(POLL_INTERVAL_S)
    return request
