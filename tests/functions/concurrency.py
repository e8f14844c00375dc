"""Define short functions that tests call by the hundred."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from localfn import Context, function

mark = "as imported"
ended_at = 0.0


@function(max_attempts=3, retry_delay_s=0)
def be_short(event: Any, context: Context) -> Any:
    """Return the event's number and the request's id, and act as the event asks."""
    print(f"this is {event['n']}")
    assert not list(context.workdir.iterdir()), "nothing of another is in the working directory"
    if event.get("leave"):
        (context.workdir / "left").write_text("left")
        context.workdir.chmod(0o755)
    if event.get("save"):
        (context.workdir / "own.txt").write_text(str(event["n"]))
        context.save_file("own.txt")
    if "raise" in event:
        raise ValueError(event["raise"])
    if event.get("exit") and context.attempt == 1:
        os._exit(3)
    if event.get("child"):
        subprocess.Popen(["sleep", "3600"])
    if event.get("null"):
        return None
    if "flag" in event:
        until(event["flag"])
    return {"n": event["n"], "request": context.request_id}


@function
def note_and_pad(event: Any, context: Context) -> Any:
    """Note the event's number, and return as many characters as the event asks for."""
    with Path(event["ledger"]).open("a") as ledger:
        ledger.write(f"{event['n']}\n")
    return "x" * event["padding"]


@function
def sleep(event: Any, context: Context) -> None:
    time.sleep(event["seconds"])


@function(timeout_s=1, max_attempts=1)
def be_short_or_hang(event: Any, context: Context) -> Any:
    """Return soon; if the event asks for it, write the idle time of this process, and hang."""
    global ended_at
    if "pids" in event:
        Path(event["pids"], "new").write_text(str(time.monotonic() - ended_at))
        Path(event["pids"], "new").rename(Path(event["pids"], str(os.getpid())))
        while True:
            time.sleep(1)
    time.sleep(event.get("seconds", 0))
    ended_at = time.monotonic()
    return event["n"]


@function(on_lost="fail")
def never_twice(event: Any, context: Context) -> Any:
    return event


@function
def tell_process(event: Any, context: Context) -> Any:
    return told()


@function(environment={"PYTHONUTF8": "1"})
def tell_started_process(event: Any, context: Context) -> Any:
    """Return the process; a variable that an interpreter reads at its start prevents forking."""
    return told()


def told() -> dict[str, Any]:
    return {
        "modules": sorted(name for name in sys.modules if not name.startswith("_")),
        "path": sys.path,
        "argv": sys.argv,
        "variables": {name: value for name, value in os.environ.items() if not name.startswith("_SANDBOX_")},
        "leads": os.getsid(0) == os.getpid() == os.getpgid(0),
        "parent": os.getppid(),
        "descriptors": sorted(Path(f"/proc/self/fd/{fd}").readlink().name.split(":")[0] for fd in range(3)),
        "open": len(list(Path("/proc/self/fd").iterdir())),
        "started": Path("/proc/self/cmdline").read_bytes().split(b"\0")[2].decode(),
    }


def until(flag: str) -> None:
    while not Path(flag).exists():
        time.sleep(0.01)
