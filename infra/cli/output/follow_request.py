"""Waits for a request to end, through restarts of the runtime and no longer than was asked for."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from infra.api_client import DEFAULT_TIMEOUT_S, Client, UnreachableError, request_path
from infra.cli.output.progress import Progress, has_ended
from infra.errors import InfraError

Answer = TypeVar("Answer")

MAX_SILENCE_S = 60.0  # a runtime that says nothing for so long is given up, when no --timeout was given
RETRY_INTERVAL_S = 0.5
# The API answers earlier when the status changes; phase and progress are seen only with each answer.
POLL_INTERVAL_S = 1


class WaitedTooLongError(InfraError):
    """The request has not ended in the time that was given; it goes on."""

    exit_code = 124


class WaitLimit:
    """How long a command waits for one request. timeout_s: None means until it ends."""

    def __init__(
        self, request_id: str, timeout_s: float | None, progress: Progress, silence_s: float = MAX_SILENCE_S
    ) -> None:
        self._request_id, self._timeout_s, self._progress = request_id, timeout_s, progress
        self._silence_s = silence_s
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        return DEFAULT_TIMEOUT_S if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.0)

    def retry(self, call: Callable[[float], Answer]) -> Answer:
        """`call`'s answer; called again while the runtime is away. It is given the seconds it may take.

        Raises UnreachableError after silence_s without an answer, WaitedTooLongError after the timeout.
        """
        asked_at = time.monotonic()
        while True:
            try:
                return call(min(self.remaining_s() + POLL_INTERVAL_S, DEFAULT_TIMEOUT_S))
            except UnreachableError as error:
                self.raise_if_over()
                if self._ends_at is None and time.monotonic() - asked_at > self._silence_s:
                    raise UnreachableError(
                        f"{error} It was silent for {self._silence_s:g} s; {self._hint()}"
                    ) from error
                self._progress.update(f"the runtime does not answer; trying again ({error})")
            time.sleep(min(RETRY_INTERVAL_S, self.remaining_s()))

    def raise_if_over(self) -> None:
        """Raises WaitedTooLongError when the time is over."""
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            raise WaitedTooLongError(f"waited {self._timeout_s:g} s; {self._hint()}")

    def _hint(self) -> str:
        return f"the request goes on: localfn requests show {self._request_id}"


def wait_until_ended(client: Client, request_id: str, patience: WaitLimit, progress: Progress) -> dict[str, Any]:
    """The request, once it has ended; shows how it gets there."""
    path = request_path(request_id)

    def look(wait_s: int) -> dict[str, Any]:
        return patience.retry(lambda limit_s: client.get(path, wait=wait_s, answer_s=limit_s))

    request = look(0)
    while not has_ended(request):
        progress.show(request)
        patience.raise_if_over()
        remaining_s = patience.remaining_s()
        if remaining_s < POLL_INTERVAL_S:  # the API counts in whole seconds
            time.sleep(remaining_s)
            request = look(0)
        else:
            request = look(POLL_INTERVAL_S)
    return request
