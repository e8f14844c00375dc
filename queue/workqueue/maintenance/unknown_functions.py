"""Remove the functions of pools that are gone, and fail the requests whose function no pool has any more."""

import logging
import time
from dataclasses import dataclass

from sqlalchemy import Engine

from workqueue import lifecycle, log_fields
from workqueue.functions import pools
from workqueue.telemetry.counters import Counters
from workqueue.transport.doorbell import Doorbell

log = logging.getLogger(__name__)

MAX_PER_RUN = 1000
INTERVAL_S = 2.0
PAUSE_FACTOR = 50  # a search reads all pending requests: it pauses for this multiple of its duration


@dataclass(slots=True)
class UnknownFunctionTask:
    """The task of the leader. unknown_s: how long no pool must have had a function before its requests fail."""

    engine: Engine
    doorbell: Doorbell
    counters: Counters
    unknown_s: float
    search_at: float = 0.0  # monotonic

    def run(self) -> None:
        """Remove functions, and fail requests."""
        now = pools.remove_gone(self.engine, self.unknown_s)
        if now is None or time.monotonic() < self.search_at:
            return
        began = time.monotonic()
        failed = lifecycle.fail_unknown(self.engine, now, self.unknown_s, MAX_PER_RUN)
        if len(failed) < MAX_PER_RUN:
            self.search_at = time.monotonic() + PAUSE_FACTOR * (time.monotonic() - began)
        if failed:
            requests = [(each.request_id, None, each.function_name) for each in failed]
            log.warning("function unknown", extra=log_fields.for_requests(requests))
            self.counters.on_unknown(each.function_name for each in failed)
            self.doorbell.announce_all([each.request_id for each in failed])
