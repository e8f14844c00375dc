"""Combine the work of concurrent threads into one transaction.

While a group commits, further threads queue; one of them then commits for all. A thread that comes alone waits for
nothing. The more threads there are, the fewer statements and flushes of the log each of them costs.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Entry(Generic[Item]):
    """An item that waits. turn: held until the item is committed, or until its thread shall commit a group."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.turn = threading.Lock()
        self.turn.acquire()
        self.is_done = False
        self.error: BaseException | None = None


class GroupCommit(Generic[Item]):
    """Commit the items of all threads in groups; safe for threads.

    commit: stores a group, or raises and stores nothing; each thread of the group raises the error.
    follow_up: called after the commit, while the next group commits already.
    max_items: of a group.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], None], follow_up: Callable[[Sequence[Item]], object], max_items: int
    ) -> None:
        self._commit, self._follow_up, self._max_items = commit, follow_up, max_items
        self._queue: deque[_Entry[Item]] = deque()
        self._is_committing = False
        self._lock = threading.Lock()

    def add(self, item: Item) -> None:
        """Return when the item is committed and its follow-up is done. Raises the error of its group."""
        entry = _Entry(item)
        with self._lock:
            self._queue.append(entry)
            is_first, self._is_committing = not self._is_committing, True
        if not is_first:
            entry.turn.acquire()
        if not entry.is_done:
            self._commit_group()
        if entry.error is not None:
            raise entry.error

    def _commit_group(self) -> None:
        """Commit the oldest items. The thread of the oldest item that is left then commits the next group."""
        with self._lock:
            group = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_items))]
        items, error = [entry.item for entry in group], None
        try:
            try:
                self._commit(items)
            finally:
                self._start_next_group()
            self._follow_up(items)
        except BaseException as problem:  # noqa: BLE001 - `add` raises it in each thread of the group
            error = problem
        for entry in group:
            entry.error, entry.is_done = error, True
            entry.turn.release()

    def _start_next_group(self) -> None:
        with self._lock:
            self._is_committing = bool(self._queue)
            if self._queue:
                self._queue[0].turn.release()
