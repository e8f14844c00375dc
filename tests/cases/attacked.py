"""Functions for the tests of attacks."""

import os
import pathlib
from typing import Any

from localfn import Context, function


@function
def complain(event: Any, context: Context) -> Any:
    raise ValueError(event["message"])


@function
def save_page(event: Any, context: Context) -> Any:
    """A page with a script, as an output file under a name of the caller's."""
    pathlib.Path("page").write_text("<script>alert(1)</script>")
    context.save_file("page", name=event.get("name", "page.html"))


@function(memory_mb=128, timeout_s=5)
def tell_limits(event: Any, context: Context) -> Any:
    """The fences as the kernel has them."""
    import resource

    names = ("DATA", "CORE", "NOFILE", "FSIZE", "CPU")
    status = pathlib.Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return {
        **{name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names},
        "no_new_privs": fields["NoNewPrivs"],
        "cpu_s": sum(os.times()[:2]),
    }


@function
def exceed(event: Any, context: Context) -> Any:
    """Tries to use more than the fences let it: how it went."""
    found = {}
    try:
        with pathlib.Path("large").open("wb") as large:
            large.truncate(1 << 40)
    except OSError as error:
        found["size"] = error.strerror
    files = []
    try:
        while True:
            files.append(pathlib.Path("/dev/null").open())
    except OSError as error:
        found["files"] = error.strerror
    finally:
        for file in files:
            file.close()
    return found


@function(network=False)
def look_around(event: Any, context: Context) -> Any:
    """Tries to reach somebody."""
    import socket

    try:
        socket.create_connection((event["host"], event["port"]), timeout=3).close()
    except OSError as error:
        return error.strerror
    return "reached"


@function
def look_around_freely(event: Any, context: Context) -> Any:
    return look_around(event, context)
