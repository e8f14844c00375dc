"""Check the limits of a sandbox that the kernel enforces."""

import os
import sys

import pytest

from tests.support.commands import localfn
from tests.support.runtime import Runtime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its fences are Linux's")


def test_the_kernel_enforces_the_limits(runtime: Runtime) -> None:
    found = runtime.result("tell_limits", {})
    # memory_mb is 128: 512 MiB more, and 512 MiB for the stacks of threads.
    assert found["DATA"] == [(128 + 512 + 512) << 20] * 2
    assert found["CORE"] == [0, 0]
    assert found["NOFILE"][1] <= 4096
    assert 0 < found["FSIZE"][1] <= 10 << 30
    assert found["no_new_privs"] == "1"


def test_each_request_has_the_full_limit_of_processor_time(runtime: Runtime) -> None:
    """Grant a warm sandbox the full limit, however long it has run."""
    cores = os.cpu_count() or 1
    for _ in range(2):
        found = runtime.result("tell_limits", {})
        granted = found["CPU"][0] - found["cpu_s"]
        assert 5 * cores <= granted <= 16 * cores + 1


def test_exceeding_a_limit_is_an_error_of_the_function(runtime: Runtime) -> None:
    assert runtime.result("exceed", {}) == {"size": "File too large", "files": "Too many open files"}
    assert runtime.result("echo", "well") == "well"


def test_a_function_without_network_is_shown_as_such(runtime: Runtime) -> None:
    network = {name: runtime.get(f"/api/functions/{name}")["network"] for name in ("look_around", "look_around_freely")}
    assert network == {"look_around": False, "look_around_freely": True}
    shown = localfn(runtime, "functions", "show", "look_around").stdout
    assert "only while its module is imported" in shown


def test_without_network_no_address_is_reachable(runtime: Runtime) -> None:
    there = {"host": "127.0.0.1", "port": int(runtime.url.rpartition(":")[2])}
    assert runtime.result("look_around_freely", there) == "reached"
    request = runtime.call("look_around", there)
    if request["status"] == "failed":  # Without this ability of the kernel, it reports an error and does not run.
        assert request["error_type"] == "LocalfnError"
        assert "network=False" in request["error_message"]
    else:
        data = runtime.get(f"/api/requests/{request['id']}/result")["data"]
        assert data == "Network is unreachable"
