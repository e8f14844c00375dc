"""Check in a background thread whether this process can accept requests, so that no probe waits.

Redis and workers are checked, too, but only shown: an accepted request waits for them.
"""

import threading
import time
from collections.abc import Callable, Mapping

from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from schema import revision
from workqueue.clock import Clock
from workqueue.heartbeats import worker_heartbeats
from workqueue.transport.circuit_breaker import write_refusal
from workqueue.transport.doorbell import Doorbell

OK, UNAVAILABLE, STOPPING = "ok", "unavailable", "stopping"
NEWER = "newer than this version"
SERVERS = ("database", "migrations", "redis", "workers")
NEEDED = ("web", "database", "migrations")  # to accept requests
INTERVAL_S = 1.0  # between checks, however many probes come
KEEP_CHECKING_S = 15.0  # after a probe: a prober that comes every 10 s finds a fresh state
FIRST_CHECK_S = 1.0  # a probe waits this long for the first check
STALE_S = 4.0  # an older state counts as unavailable


class Readiness:
    """Check the database and Redis in a background thread. A slow server never delays a probe.

    engine: one of its own, so that other calls cannot use up its connections.
    """

    def __init__(self, engine: Engine, doorbell: Doorbell, clock: Clock) -> None:
        self._engine, self._doorbell, self._clock = engine, doorbell, clock
        self._changed = threading.Condition()
        self._states: dict[str, str] = {}
        self._checked_at = self._probed_at = float("-inf")
        self._is_checking = self._is_stopping = False

    def announce_stop(self) -> None:
        """Report that this process accepts no further requests, so that proxies send them elsewhere."""
        self._is_stopping = True

    def get_states(self) -> dict[str, str]:
        """Return the state of each check: of this process, and of the servers."""
        return {"web": STOPPING if self._is_stopping else OK} | self._states_of_servers()

    def _states_of_servers(self) -> dict[str, str]:
        """Return states that are at most `STALE_S` old; "unavailable" without an answer."""
        with self._changed:
            self._probed_at = time.monotonic()
            if not self._is_checking:
                self._is_checking = True
                threading.Thread(target=self._check_repeatedly, name="readiness", daemon=True).start()
                self._changed.wait_for(lambda: self._checked_at > self._probed_at, FIRST_CHECK_S)
            is_stale = time.monotonic() - self._checked_at > STALE_S
            return dict.fromkeys(SERVERS, f"{UNAVAILABLE}: no answer") if is_stale else self._states

    def _check_repeatedly(self) -> None:
        """Check at intervals until no probe comes for `KEEP_CHECKING_S`."""
        try:
            while time.monotonic() - self._probed_at < KEEP_CHECKING_S:
                states = self._check()
                with self._changed:
                    self._states, self._checked_at = states, time.monotonic()
                    self._changed.notify_all()
                time.sleep(INTERVAL_S)
        finally:
            with self._changed:
                self._is_checking = False  # after an error too: the next probe starts a new thread

    def _check(self) -> dict[str, str]:
        migrations = _ask(self._compare_revision)
        redis = _ask(lambda: _ok_or_missing(self._doorbell.ping()))
        # Do not query an unavailable database twice: each query may take the whole timeout.
        if migrations.startswith(UNAVAILABLE):
            return dict(zip(SERVERS, (migrations, migrations, redis, migrations), strict=True))
        workers = _ask(lambda: _ok_or_missing(bool(worker_heartbeats.list_alive(self._engine, self._clock))))
        return dict(zip(SERVERS, (OK, migrations, redis, workers), strict=True))

    def _compare_revision(self) -> str:
        if revision.find_newer(self._engine) is not None:
            return NEWER if revision.find_too_new(self._engine) is None else "too new for this version"
        return _ok_or_missing(revision.is_current(self._engine))


def can_accept(states: Mapping[str, str]) -> bool:
    """Return whether a process in these states can accept requests."""
    return all(states[name] in (OK, NEWER) for name in NEEDED)


def _ok_or_missing(is_ok: bool) -> str:
    return OK if is_ok else "missing"


def _ask(check: Callable[[], str]) -> str:
    try:
        return check()
    except (SQLAlchemyError, RedisError) as error:
        if isinstance(error, RedisError) and (cause := write_refusal(error)):
            return f"refuses writes: {cause}"
        return f"{UNAVAILABLE}: {type(error).__name__}"
