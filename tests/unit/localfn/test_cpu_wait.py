"""What a request waited for a processor is not its own time."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from localfn.runtime.cpu_wait import CpuWait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
SPIN = "import os; os.sched_setaffinity(0, {{{core}}}); print(1, flush=True)\nwhile True: pass"


@pytest.fixture
def core() -> Iterator[int]:
    """The one that this process runs on for now."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield min(before)
    os.sched_setaffinity(0, before)


def measured(work: Callable[[], None]) -> tuple[float, float]:
    """How long it took, and how long of that it waited for a processor."""
    delay = CpuWait()
    delay.restart()
    began = time.monotonic()
    work()
    passed_s = time.monotonic() - began
    return passed_s, delay.seconds(passed_s)


def test_sleeping_counts_as_own_time() -> None:
    passed_s, delayed_s = measured(lambda: time.sleep(0.1))

    assert passed_s - delayed_s >= 0.1


def test_waiting_for_a_processor_does_not_count_as_own_time(core: int) -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN.format(core=core)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ends_at = time.monotonic() + 0.5

        def spin() -> None:
            while time.monotonic() < ends_at:
                pass

        passed_s, delayed_s = measured(spin)
        other.kill()

    assert 0.2 * passed_s < delayed_s < passed_s, "the other one had half of the core, or more"
