"""Keep the registered functions in memory, renewed by PostgreSQL's NOTIFY.

A submission finds its function without a query. The process of the cache listens on a connection of its own; while that
connection is lost, the cache is empty and each look-up is a query, so no function is unknown or outdated for long.
"""

import logging
import select
import threading
import time
from collections.abc import Iterable, Mapping

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from workqueue.database import error_summary
from workqueue.functions import registry
from workqueue.functions.registry import FunctionSpec

log = logging.getLogger(__name__)

PROBE_EVERY_S = 5.0  # an idle listener sends a query, because a lost connection sends no notification
RETRY_S = 0.5  # a function must be known within 2 s


class FunctionCache:
    """Hold the functions by name; safe for threads. It is empty until the first `replace` and after `clear`."""

    def __init__(self) -> None:
        self._functions: Mapping[str, FunctionSpec] = {}

    def replace(self, functions: Iterable[FunctionSpec]) -> None:
        """Hold these functions only."""
        self._functions = {function.name: function for function in functions}

    def clear(self) -> None:
        """Hold no function: the caller no longer learns of changes."""
        self._functions = {}

    def find(self, name: str) -> FunctionSpec | None:
        """Return the function of this name; None if the cache does not hold it."""
        return self._functions.get(name)


class FunctionFinder:
    """Find functions in a cache that a thread of this process renews, else in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache = FunctionCache()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def find(self, name: str) -> FunctionSpec:
        """Return the function with this name. Raises UnknownFunctionError.

        A name that the cache lacks costs a query: the notification of a new function may arrive after its first call.
        """
        if self._thread is None:
            self._start()
        return self._cache.find(name) or registry.find(self._engine, name)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:  # not in __init__: a thread would not survive gunicorn's fork
                self._thread = threading.Thread(target=self._listen, name="function listener", daemon=True)
                self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                self._follow_changes()
            except (DBAPIError, PoolTimeoutError) as error:
                log.debug("function listener disconnected", extra={"error": error_summary(error)})
            except psycopg.Error as error:
                log.debug("function listener disconnected", extra={"error": str(error)})
            except Exception:
                log.exception("function listener failed; functions are read from the database")  # it must not end
            finally:
                self._cache.clear()
            time.sleep(RETRY_S)

    def _follow_changes(self) -> None:
        """Renew the cache at each notification, until the connection is lost."""
        with self._engine.connect() as connection:
            listener = connection.connection.driver_connection
            assert isinstance(listener, psycopg.Connection)
            connection.detach()  # it leaves the pool, and is closed at the end of the block
            listener.autocommit = True
            listener.execute(f"LISTEN {registry.CHANNEL}")
            self._cache.replace(registry.list_functions(self._engine))  # after LISTEN, so that no change is missed
            readable = select.poll()  # psycopg's own wait would wake up ten times a second
            readable.register(listener.fileno(), select.POLLIN)
            while True:
                if not readable.poll(PROBE_EVERY_S * 1000):
                    listener.execute("SELECT 1")
                if list(listener.notifies(timeout=0)):
                    self._cache.replace(registry.list_functions(self._engine))
