"""Processes that the pool forks off itself, with everything imported, and that end when their life is over.

Like multiprocessing's; but a fork that fails leaves no descriptors behind, so it can be tried again for hours.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from workqueue.sandboxes.process import ForkedProcess

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """What the pool knows of a process of its own; RQ's pool reads name and pid."""

    name: str
    pid: int
    process: ForkedProcess


def fork(name: str, life: Callable[[], None]) -> Member:
    """Raises OSError when the machine has no room for one more."""
    pid = os.fork()
    if pid == 0:
        _live(life)
    return Member(name, pid, ForkedProcess(pid))


def _live(life: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        life()
        status = 0
    except BaseException:
        log.exception("a process of the pool failed")
    finally:
        logging.shutdown()
        os._exit(status)  # what the pool would do at its own end is not for its children
