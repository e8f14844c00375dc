"""Send false answers to the runtime, or set a trap for the runtime or the next request."""

import contextlib
import json
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from localfn import Context, function
from localfn.runtime import importer, memory_usage
from localfn.runtime.runner import FunctionRunner


@function
def lie_about_its_code(event: Any, context: Context) -> Any:
    """Report a value that is not a list as the imported files."""
    importer.files_of = lambda *_: event["files"]
    sys.modules["made_up"] = type(sys)("made_up")  # so that the SDK reads the list of files


@function
def leave_the_dead(event: Any, context: Context) -> Any:
    """Leave ended children that no process has waited for."""
    for _ in range(event["count"]):
        if os.fork() == 0:
            os._exit(0)


@function
def plant_for_the_next(event: Any, context: Context) -> Any:
    """Leave a thread that puts a pipe in place of the next request's upload."""

    def plant() -> None:
        time.sleep(0.001)
        with contextlib.suppress(OSError):
            (context.workdir / "input" / "part").mkdir(parents=True)
            os.mkfifo(context.workdir / "input" / "part" / "a.txt")

    threading.Thread(target=plant).start()


@function
def list_what_is_there(event: Any, context: Context) -> Any:
    return sorted(str(path) for path in Path.cwd().rglob("*") if path.is_file())


@function
def swap_its_folder_for_a_link(event: Any, context: Context) -> Any:
    """Replace the output folder by a link to /proc/self, whose files differ for each reader."""
    (context.workdir / ".output").symlink_to("/proc/self")
    context.saved = [{"name": "maps"}]


@function
def dig(event: Any, context: Context) -> Any:
    """Nest folders deeper than a stack of calls or the limit of open files allows."""
    for _ in range(event["depth"]):
        Path("d").mkdir()
        os.chdir("d")
    Path("bottom").write_text("x")


@function
def tell_its_phase_often(event: Any, context: Context) -> Any:
    say({"type": "phase", "phase": "process", "request_id": context.request_id}, times=500)


@function
def exaggerate(event: Any, context: Context) -> Any:
    memory_usage.PeakMemory.mb = lambda *_: event["number"]  # type: ignore[method-assign]
    say({"type": "progress", "request_id": context.request_id, "fraction": event["number"]})


def say(head: Any, times: int = 1) -> None:
    """Send frames on the runtime's socket."""
    encoded = json.dumps(head).encode()
    for fd in range(3, 256):
        with contextlib.suppress(OSError):
            socket.socket(fileno=os.dup(fd)).sendall((struct.pack("!II", len(encoded), 0) + encoded) * times)


@function
def write_into_the_wire(event: Any, context: Context) -> Any:
    """Write to each descriptor that may belong to the runtime."""
    for fd in range(3, 256):
        try:
            os.write(fd, b"\0\0\0\5\0\0\0\0rubbish")
        except OSError:
            continue
    return "written"


@function
def speak_for_the_sdk(event: Any, context: Context) -> Any:
    """Find the runtime's socket and send a forged answer."""
    for fd in range(3, 256):
        try:
            wire = socket.socket(fileno=os.dup(fd))
        except OSError:
            continue
        head = json.dumps({"type": "done", **event["head"]}).encode()
        body = event["body"].encode()
        try:
            wire.sendall(struct.pack("!II", len(head), len(body)) + head + body)
        except OSError:
            continue
    time.sleep(60)


@function
def lie_about_its_times(event: Any, context: Context) -> Any:
    """Report times that are no numbers, infinite, negative or huge, from the next request on."""
    invoke = FunctionRunner.invoke
    lies = {name: float(value) for name, value in event.items()}

    def lie(self: FunctionRunner, *rest: Any) -> Any:
        answer, result = invoke(self, *rest)
        return {**answer, **lies}, result

    FunctionRunner.invoke = lie  # type: ignore[assignment]


@function
def answer_twice(event: Any, context: Context) -> Any:
    """Send another answer while the runtime saves the files of the first one."""
    (context.workdir / "own.txt").write_text("x" * event["size"])
    context.save_file("own.txt")
    head = {"type": "done", "request_id": context.request_id, "files": []}
    threading.Thread(target=say, args=(head,), kwargs={"times": 10_000}).start()
