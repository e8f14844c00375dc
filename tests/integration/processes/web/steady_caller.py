"""Send calls without a pause while a test stops web processes, and count how they end."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable


class Caller:
    """Send one POST after the other on a kept connection. Count answers, and calls that may have been lost.

    choose_url: returns the web to use for the next connection.
    """

    def __init__(self, choose_url: Callable[[], str]) -> None:
        self.results: Counter[str] = Counter()
        self._choose_url = choose_url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._call_repeatedly, daemon=True)
        self._thread.start()

    def end(self) -> Counter[str]:
        self._is_over.set()
        self._thread.join()
        return self.results

    def _call_repeatedly(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._is_over.is_set():
            if connection is None:
                connection = http.client.HTTPConnection(self._choose_url().removeprefix("http://"), timeout=30)
            try:
                connection.request("POST", "/api/functions/echo", b"1", {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.results[type(error).__name__] += 1
                connection = None
                continue
            self.results[str(answer.status)] += 1
            if answer.will_close:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()
