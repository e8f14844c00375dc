"""Fork child processes of the pool, with all modules imported.

Unlike multiprocessing, a failed fork leaves no descriptors open, so the pool can retry it for hours.
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
    """A child process of the pool. RQ's pool reads name and pid."""

    name: str
    pid: int
    process: ForkedProcess


def fork(name: str, main: Callable[[], None]) -> Member:
    """Run `main` in a child process. Raises OSError when the machine is out of processes or memory."""
    pid = os.fork()
    if pid == 0:
        _run_child(main)
    return Member(name, pid, ForkedProcess(pid))


def _run_child(main: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        main()
        status = 0
    except BaseException:
        log.exception("process of the pool failed")
    finally:
        logging.shutdown()
        os._exit(status)  # skip the exit handlers of the pool
