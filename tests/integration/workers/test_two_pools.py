"""Two worker pools with different code share one database."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime, make_folder
from tests.support.waiting import wait_until
from workqueue.functions.pools import LIVE_WITHIN_S

CODE = "from localfn import function\n\n\n@function\ndef {name}(event, context):\n    return event\n"
UNKNOWN_S = 3.0


@pytest.fixture(scope="module")
def first_pool(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(settings={"LOCALFN_UNKNOWN_FUNCTION_SECONDS": str(UNKNOWN_S)}) as runtime:
        yield runtime


@contextmanager
def second_pool(first: Runtime) -> Iterator[Runtime]:
    """Run a worker pool that has only the function `only_second`."""
    with make_folder() as folder:
        folder.chmod(0o711)  # as root, functions run as another account, which must enter
        functions = folder / "functions"
        functions.mkdir()
        settings = {"LOCALFN_FUNCTIONS": str(functions), "LOCALFN_HOME": str(folder / "home")}
        second = replace(first, functions=functions, env=first.env | settings, processes={})
        second.write("second.py", CODE.format(name="only_second"))
        second.start("worker")
        try:
            yield second
        finally:
            second.stop("worker")


def test_each_pool_keeps_its_functions_until_it_is_gone(first_pool: Runtime) -> None:
    with second_pool(first_pool) as second:
        wait_until(lambda: first_pool.knows("only_second"), what="the second pool has published")
        first_pool.write("later.py", CODE.format(name="later"))
        wait_until(lambda: first_pool.knows("later"), what="the first pool has published")
        assert first_pool.knows("only_second")
        second.stop("worker", signal.SIGKILL)
        second.start("worker")  # at once: nothing is removed
        wait_longer_than_a_silent_pool()
        assert first_pool.knows("only_second")
    wait_until(lambda: not first_pool.knows("only_second"), 30, "the second pool is gone")
    assert first_pool.knows("later")


def wait_longer_than_a_silent_pool() -> None:
    """Wait until a pool that had stopped before this call would be gone."""
    ends_at = time.monotonic() + max(UNKNOWN_S, LIVE_WITHIN_S) + 4
    wait_until(lambda: time.monotonic() > ends_at, 30)


def test_a_request_fails_when_no_pool_has_its_function_any_more(first_pool: Runtime) -> None:
    path: Path = first_pool.write("brief.py", CODE.format(name="brief"))
    wait_until(lambda: first_pool.knows("brief"), what="brief is known")
    assert first_pool.http.post("/api/queues/low/pause").status_code == 200  # no worker claims the request
    request = first_pool.post("brief", 1, params={"queue": "low"})
    path.unlink()
    wait_until(lambda: not first_pool.knows("brief"), what="brief is removed")
    removed_at = time.monotonic()
    ended = first_pool.wait_ended(request["id"])
    assert time.monotonic() - removed_at > UNKNOWN_S - 1
    assert (ended["status"], ended["error_type"], ended["attempt"]) == ("failed", "FunctionNotFound", 0)
