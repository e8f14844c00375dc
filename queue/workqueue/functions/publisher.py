"""Publish the functions of a worker pool: at each change of its code, and again when they no longer count."""

import time
from collections.abc import Callable

from sqlalchemy import Engine

from workqueue.functions import pools, registry
from workqueue.functions.code_watcher import CodeWatcher
from workqueue.functions.registry import Registry


class FunctionPublisher:
    """Publish the functions of one pool.

    pool: its name. make_watcher: returns the watcher of its code, which knows a registry already.
    """

    def __init__(self, engine: Engine, pool: str, make_watcher: Callable[[Registry], CodeWatcher]) -> None:
        self._engine, self._pool, self._make_watcher = engine, pool, make_watcher
        self._watcher: CodeWatcher | None = None
        self._is_published = True
        self._beat_at = 0.0

    def update(self) -> None:
        """Publish what has changed, and store that the pool is live. Raises DBAPIError; call it again then."""
        if self._watcher is None:
            stored = registry.read_pool_registry(self._engine, self._pool)
            self._watcher = self._make_watcher(stored or registry.read_registry(self._engine))
        if self._watcher.refresh():
            self._is_published = False
        if time.monotonic() >= self._beat_at:
            self._is_published = pools.beat(self._engine, self._pool) and self._is_published
            self._beat_at = time.monotonic() + pools.BEAT_S
        if not self._is_published:
            pools.publish(self._engine, self._pool, self._watcher.registry)
            self._is_published = True
