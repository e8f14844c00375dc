"""Find the principal of a session token or API key, with a cache per process.

The cache saves a query per call; a revoked secret works for at most CACHE_S more. Unknown secrets are cached as well,
so that a flood of calls with a wrong key does not load the database.
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
MAX_SECRET_LENGTH = 256  # characters; real tokens and keys are shorter
Lookup = Callable[[Engine, str, datetime], Principal | None]


class Authenticator:
    """Authenticate secrets. One instance per process; thread-safe."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine, self._now = engine, now
        # SHA-256 of the secret -> (valid until, principal)
        self._cache: dict[str, tuple[float, Principal | None]] = {}
        self._lock = threading.Lock()

    def by_api_key(self, key: str) -> Principal | None:
        """Return the principal of this API key; None if it is invalid. Raises SQLAlchemyError."""
        return self._find(key, api_keys.find_principal) if key.startswith(KEY_PREFIX) else None

    def by_session_token(self, token: str) -> Principal | None:
        """Return the principal of this session; None if it is invalid. Raises SQLAlchemyError."""
        return self._find(token, sessions.find_principal)

    def clear_cache(self) -> None:
        """Empty the cache, so that a change takes effect in this process at once."""
        with self._lock:
            self._cache.clear()

    def _find(self, secret: str, lookup: Lookup) -> Principal | None:
        if len(secret) > MAX_SECRET_LENGTH:
            return None
        hashed = digest(secret)
        cached = self._cache.get(hashed)
        if cached is not None and time.monotonic() < cached[0]:
            return cached[1]
        started_at = time.monotonic()
        principal = lookup(self._engine, hashed, self._now())
        with self._lock:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[hashed] = started_at + CACHE_S, principal
        return principal
