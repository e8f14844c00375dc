"""Functions that break, short of ending it, what the next request in their sandbox relies on."""

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
    """Says who it is, and does what its event asks for."""
    print(f"this is {event['n']}")
    assert not list(context.workdir.iterdir()), "the working directory is like new"
    if "do" in event:
        DEEDS[event["do"]](context)
    return {"n": event["n"], "process": os.getpid()}


def fork_and_return(context: Context) -> None:
    """In the child the function goes on, and returns, like in the parent."""
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
    """Where root started it, the folder above is shut to functions."""
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
    """Two threads report progress of this request while others run."""

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
    """Ends its sandbox if it is the one."""
    if event["n"] == event["at"]:
        Path(event["flag"]).touch()
        os._exit(9)
    return event["n"]
