"""What a sandbox may use: the fences that the kernel keeps."""

import os
import sys

import pytest

from tests.support.commands import localfn
from tests.support.runtime import Runtime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its fences are Linux's")


def test_the_fences_stand(runtime: Runtime) -> None:
    found = runtime.result("tell_limits", {})
    # memory_mb is 128: 512 MiB more, and 512 MiB for the stacks of threads.
    assert found["DATA"] == [(128 + 512 + 512) << 20] * 2
    assert found["CORE"] == [0, 0]
    assert found["NOFILE"][1] <= 4096
    assert 0 < found["FSIZE"][1] <= 10 << 30
    assert found["no_new_privs"] == "1"


def test_processor_time_is_granted_anew_for_each_request(runtime: Runtime) -> None:
    """A warm sandbox is as good as a cold one, however long it has worked."""
    cores = os.cpu_count() or 1
    for _ in range(2):
        found = runtime.result("tell_limits", {})
        granted = found["CPU"][0] - found["cpu_s"]
        assert 5 * cores <= granted <= 16 * cores + 1


def test_what_goes_beyond_is_an_error_of_the_function(runtime: Runtime) -> None:
    assert runtime.result("exceed", {}) == {"size": "File too large", "files": "Too many open files"}
    assert runtime.result("echo", "well") == "well"


def test_who_has_no_network_is_told(runtime: Runtime) -> None:
    told = {name: runtime.get(f"/api/functions/{name}")["network"] for name in ("look_around", "look_around_freely")}
    assert told == {"look_around": False, "look_around_freely": True}
    shown = localfn(runtime, "functions", "show", "look_around").stdout
    assert "only while its module is imported" in shown


def test_without_network_there_is_nobody_to_reach(runtime: Runtime) -> None:
    there = {"host": "127.0.0.1", "port": int(runtime.url.rpartition(":")[2])}
    assert runtime.result("look_around_freely", there) == "reached"
    request = runtime.call("look_around", there)
    if request["status"] == "failed":  # where the kernel does not let it go, it says so and does not run
        assert request["error_type"] == "LocalfnError"
        assert "network=False" in request["error_message"]
    else:
        data = runtime.get(f"/api/requests/{request['id']}/result")["data"]
        assert data == "Network is unreachable"
