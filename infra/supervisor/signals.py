"""Make signals selectable: the exit of a child, and a request to stop."""

import os
import selectors
import signal
import socket
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], Any] | int | None


class Signals:
    """Count the requests to stop while entered, and wake up the selector for every signal."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.stop_requests = 0
        self._selector = selector
        self._old: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> "Signals":
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._old_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._reader, selectors.EVENT_READ, self)
        for number in STOP_SIGNALS:
            # Under nohup SIGHUP is ignored: the end of the terminal must not stop `up`.
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self._old[number] = signal.signal(number, self._count)
        # SIGCHLD reaches the wakeup descriptor only if it has a handler.
        self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            # A stop is in progress: another Ctrl-C must not end the process before it is complete.
            is_ending = self.stop_requests and number in STOP_SIGNALS
            signal.signal(number, signal.SIG_IGN if is_ending else handler)
        signal.set_wakeup_fd(self._old_fd)
        self._selector.unregister(self._reader)
        self._reader.close()
        self._writer.close()

    def drain(self) -> None:
        """Drop the wake-ups; the handlers have already counted the signals."""
        try:
            while os.read(self._reader.fileno(), 4096):
                pass
        except BlockingIOError:
            return

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1
