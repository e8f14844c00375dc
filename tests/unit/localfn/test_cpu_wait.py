"""Check that waiting for a processor does not count as the time of a request."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from localfn.runtime.cpu_wait import CpuWait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux measures it")
SPIN = "import os; os.sched_setaffinity(0, {{{core}}}); print(1, flush=True)\nwhile True: pass"


@pytest.fixture
def core() -> Iterator[int]:
    """Pin this process to one core during a test, and yield its number."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield min(before)
    os.sched_setaffinity(0, before)


def measure(work: Callable[[], None]) -> tuple[float, float]:
    """Run the work; return its seconds, and the seconds of waiting for a processor."""
    delay = CpuWait()
    delay.restart()
    started_at = time.monotonic()
    work()
    passed_s = time.monotonic() - started_at
    return passed_s, delay.seconds(passed_s)


def test_sleeping_counts_as_own_time() -> None:
    passed_s, delayed_s = measure(lambda: time.sleep(0.1))

    assert passed_s - delayed_s >= 0.1


def test_waiting_for_a_processor_does_not_count_as_own_time(core: int) -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN.format(core=core)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ends_at = time.monotonic() + 0.5

        def spin() -> None:
            while time.monotonic() < ends_at:
                pass

        passed_s, delayed_s = measure(spin)
        other.kill()

    assert 0.2 * passed_s < delayed_s < passed_s, "the other process has half of the core or more"
