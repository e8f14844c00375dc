"""Find out in a thread of its own whether requests are accepted and run, so that no probe waits."""

import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from schema import revision
from workqueue.clock import Clock
from workqueue.heartbeats import worker_heartbeats
from workqueue.transport.circuit_breaker import write_refusal
from workqueue.transport.doorbell import Doorbell

OK, AWAY = "ok", "away"
CHECKS = ("migrations", "redis", "workers")
EVERY_S = 1.0  # the database and Redis are asked so often, however many probes come
KEPT_UP_S = 90.0  # after a probe: the next one finds a fresh look
FIRST_S = 1.0  # that a probe waits for the first look after a while without probes
STALE_S = 4.0  # an older look does not count


class Readiness:
    """Ask the database and Redis in a thread of its own: a probe never waits long for a slow one.

    engine: of its own, so that other calls cannot take all connections.
    """

    def __init__(self, engine: Engine, doorbell: Doorbell, clock: Clock) -> None:
        self._engine, self._doorbell, self._clock = engine, doorbell, clock
        self._changed = threading.Condition()
        self._found: dict[str, str] = {}
        self._found_at = self._asked_at = float("-inf")
        self._is_kept_up = False

    def get_states(self) -> dict[str, str]:
        """Return the state found within the last seconds; "away" without an answer."""
        with self._changed:
            self._asked_at = time.monotonic()
            if not self._is_kept_up:
                self._is_kept_up = True
                threading.Thread(target=self._keep_up, name="readiness", daemon=True).start()
                self._changed.wait_for(lambda: self._found_at > self._asked_at, FIRST_S)
            is_stale = time.monotonic() - self._found_at > STALE_S
            return dict.fromkeys(CHECKS, f"{AWAY}: no answer") if is_stale else self._found

    def _keep_up(self) -> None:
        """Look again and again until no probe has come for a while."""
        try:
            while time.monotonic() - self._asked_at < KEPT_UP_S:
                found = self._check()
                with self._changed:
                    self._found, self._found_at = found, time.monotonic()
                    self._changed.notify_all()
                time.sleep(EVERY_S)
        finally:
            with self._changed:
                self._is_kept_up = False  # after an unexpected error too: the next probe begins anew

    def _check(self) -> dict[str, str]:
        migrations = _ask(lambda: revision.is_current(self._engine))
        redis = _ask(self._doorbell.ping)
        # A database that is silent is not asked twice: that would take as long again.
        if migrations.startswith(AWAY):
            return dict(zip(CHECKS, (migrations, redis, migrations), strict=True))
        workers = _ask(lambda: bool(worker_heartbeats.list_alive(self._engine, self._clock)))
        return dict(zip(CHECKS, (migrations, redis, workers), strict=True))


def _ask(check: Callable[[], bool]) -> str:
    try:
        return OK if check() else "missing"
    except (SQLAlchemyError, RedisError) as error:
        if isinstance(error, RedisError) and (cause := write_refusal(error)):
            return f"refuses writes: {cause}"
        return f"{AWAY}: {type(error).__name__}"
