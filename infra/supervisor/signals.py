"""Signals as something to select on: a child that ended, and a person or a system that asks us to stop."""

import os
import selectors
import signal
import socket
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], Any] | int | None


class Signals:
    """While entered, counts the requests to stop, and makes the selector return when any signal arrives."""

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
        for number in STOP:
            # Started with nohup: the terminal's end is not meant for us.
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self._old[number] = signal.signal(number, self._count)
        # A handler of any kind: ignored or default, SIGCHLD would not reach the wakeup descriptor.
        self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            # Asked to stop, this process is about to end in order: one more Ctrl-C must not end it in another way.
            is_ending = self.stop_requests and number in STOP
            signal.signal(number, signal.SIG_IGN if is_ending else handler)
        signal.set_wakeup_fd(self._old_fd)
        self._selector.unregister(self._reader)
        self._reader.close()
        self._writer.close()

    def drain(self) -> None:
        """Forget the wake-ups; what they were about has been noted by the handlers."""
        try:
            while os.read(self._reader.fileno(), 4096):
                pass
        except BlockingIOError:
            return

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1
