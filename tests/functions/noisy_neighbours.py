"""Break what the next request in the sandbox relies on, without ending the sandbox."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localfn import Context, function


@function
def be_bad_company(event: Any, context: Context) -> Any:
    """Return the event's number and the process, and act as the event asks."""
    print(f"this is {event['n']}")
    assert not list(context.workdir.iterdir()), "the working directory is like new"
    if "do" in event:
        DEEDS[event["do"]](context)
    return {"n": event["n"], "process": os.getpid()}


def fork_and_return(context: Context) -> None:
    """Fork; the child, too, returns from the function."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)


def put_a_file_in_place(context: Context) -> None:
    if can_remove(context.workdir):
        context.workdir.write_text("no directory")


def put_a_link_in_place(context: Context) -> None:
    if can_remove(context.workdir):
        context.workdir.symlink_to("/tmp")


def can_remove(workdir: Path) -> bool:
    """Remove the working directory; return False if the account may not change the folder above."""
    os.chdir("/")
    try:
        workdir.rmdir()
    except PermissionError:
        return False
    return True


def lock_a_folder(context: Context) -> None:
    folder = context.workdir / "deep" / "locked"
    folder.mkdir(parents=True)
    folder.chmod(0)
    folder.parent.chmod(0)


def make_all_descriptors_wait(context: Context) -> None:
    for fd in range(3, 256):
        with contextlib.suppress(OSError):
            os.set_blocking(fd, True)


def fill_a_pipe_that_does_not_wait(context: Context) -> None:
    os.set_blocking(1, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(1, b"x" * 1024)


def talk_from_behind(context: Context) -> None:
    """Report progress of this request from two threads while other requests run."""

    def talk() -> None:
        for n in range(200):
            context.progress(0.5, f"{n} of one that is over")
            time.sleep(0.0001)

    for _ in range(2):
        threading.Thread(target=talk).start()


def forge_marks(context: Context) -> None:
    for name, value in os.environ.items():
        if name.startswith("_SANDBOX_"):
            os.write(1, b"\0" + value.encode())


DEEDS: dict[str, Callable[[Context], None]] = {
    deed.__name__: deed
    for deed in (
        fork_and_return,
        put_a_file_in_place,
        put_a_link_in_place,
        lock_a_folder,
        make_all_descriptors_wait,
        fill_a_pipe_that_does_not_wait,
        talk_from_behind,
        forge_marks,
    )
}


@function
def end_at(event: Any, context: Context) -> Any:
    """End the sandbox if the event selects this request."""
    if event["n"] == event["at"]:
        Path(event["flag"]).touch()
        os._exit(9)
    return event["n"]
