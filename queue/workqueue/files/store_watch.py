"""Check the file store for the overview, in a thread: no page waits for S3."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from workqueue.errors import BucketMissingError
from workqueue.files.store import FileStore, StorageError

INTERVAL_S, INTERVAL_DURING_OUTAGE_S = 15.0, 3.0  # between two checks, while clients ask


class StoreWatch:
    """Hold since when the file store has been unavailable, and why. Thread-safe. now: returns the time."""

    def __init__(self, store: FileStore, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self._lock = threading.Lock()
        self._is_checking = False
        self._checked_at = float("-inf")
        self._outage: tuple[datetime, str] | None = None

    def outage(self) -> tuple[datetime, str] | None:
        """Return the start and the reason of an outage, as of the last check; begin the next one if it is due."""
        with self._lock:
            interval_s = INTERVAL_DURING_OUTAGE_S if self._outage else INTERVAL_S
            if not self._is_checking and time.monotonic() - self._checked_at >= interval_s:
                self._is_checking = True
                threading.Thread(target=self._check, name="file store", daemon=True).start()
            return self._outage

    def _check(self) -> None:
        try:
            reason = self._find_problem()
        finally:
            with self._lock:
                self._is_checking, self._checked_at = False, time.monotonic()
        with self._lock:
            self._outage = (self._outage[0] if self._outage else self._now(), reason) if reason else None

    def _find_problem(self) -> str:
        """Return why the store is unavailable; an empty string if it is available."""
        try:
            self._store.check_available()
        except (BucketMissingError, StorageError) as error:
            return str(error.args[-1])
        return ""
