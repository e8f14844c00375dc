"""Tells who a token or a key belongs to, without asking the database each time.

What was found is believed for a few seconds in each process: a submit pays a dictionary look-up, and what is revoked is
dead everywhere as soon as these seconds are over. What was not found is believed too: a flood of wrong keys costs
little more than the right one.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from workqueue.auth import api_keys, sessions
from workqueue.auth.credentials import KEY_PREFIX, digest
from workqueue.auth.permissions import Principal

CACHE_S = 3.0
MAX_CACHED = 10_000
MAX_SECRET_LENGTH = 256  # characters; ours have fewer
Lookup = Callable[[Engine, str, datetime], Principal | None]


class Authenticator:
    """One per process; its methods may be called from any thread."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine, self._now = engine, now
        self._cache: dict[str, tuple[float, Principal | None]] = {}
        self._lock = threading.Lock()

    def by_api_key(self, key: str) -> Principal | None:
        """The program with this API key. Raises SQLAlchemyError."""
        return self._find(key, api_keys.find_principal) if key.startswith(KEY_PREFIX) else None

    def by_session_token(self, token: str) -> Principal | None:
        """The user with this session. Raises SQLAlchemyError."""
        return self._find(token, sessions.find_principal)

    def clear_cache(self) -> None:
        """Something was revoked or changed here: it is so at once in this process."""
        with self._lock:
            self._cache.clear()

    def _find(self, secret: str, look: Lookup) -> Principal | None:
        if len(secret) > MAX_SECRET_LENGTH:
            return None
        hashed = digest(secret)
        believed = self._cache.get(hashed)
        if believed is not None and time.monotonic() < believed[0]:
            return believed[1]
        asked_at = time.monotonic()
        found = look(self._engine, hashed, self._now())
        with self._lock:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[hashed] = asked_at + CACHE_S, found
        return found
