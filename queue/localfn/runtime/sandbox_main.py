"""The main loop of a sandbox: load one function, then run one request after another.

Starts as `python -c 'from localfn.runtime.sandbox_main import main; main(FDS)'`. Speaks in frames (frames.py):
gets "load", "run" with one request or several, and "cleanup"; answers "started", then "ready" or "refused", then for
each request "phase", "progress", and "done", "failed" or "declined". It ends when the socket closes.
For discovery it gets "describe" instead, answers "described" or "refused", and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from localfn.declaration import Function
from localfn.errors import LocalfnError
from localfn.outcome.failure import failure
from localfn.process_state.leftovers import FreshState
from localfn.runtime import confinement, importer
from localfn.runtime.channel import Channel
from localfn.runtime.frames import MAX_HEAD
from localfn.runtime.output_order import mark_output
from localfn.runtime.runner import FunctionRunner

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
DECODER = json.JSONDecoder()


def main(fds: Sequence[int]) -> None:
    """fds: the socket to the runtime, and the one from which turns are taken."""
    _prepare_process()
    control, turns = fds
    channel = Channel(control, turns, max_body=1 << 31)
    mark_output(channel.marks)
    _log_to_stderr()
    frame = channel.receive()
    if frame is None:
        return
    channel.send({"type": "started"})  # what ends this process from here on is the user's code
    head, _ = frame
    channel.marks.mark = head["mark"].encode()
    os.environ.update(head.get("environment", {}))  # what /proc is not to show
    if head["type"] == "describe":
        _describe(channel, head)
        return
    run = FunctionRunner(_load(channel, head), channel.send, head["max_result_bytes"])
    fresh = FreshState(run.peak, run.function.name)
    files = importer.files_of(head["root"], head["module"])
    channel.answer({"type": "ready", "has_checks": run.has_checks, "files": files})
    _serve(channel, run, fresh, head)
    # The runtime is gone. Threads and exit handlers of past requests must not run without it.
    os._exit(0)


def _serve(channel: Channel, run: FunctionRunner, fresh: FreshState, loaded: dict[str, Any]) -> None:
    modules = len(sys.modules)
    while (frame := channel.receive()) is not None:
        head, body = frame
        if head["type"] == "cleanup":
            act, members = run.cleanup, zip([head], _events(b"[%b]" % body))
        else:
            act, members = run.invoke, zip(_placed(head), _events(body))
        for member, (event, text) in members:
            if act == run.invoke and not channel.take_start_token(head["round"]):
                break  # called back, with all behind it
            if member.get("valid_s", 0) < 0:  # the runtime was frozen, perhaps: somebody else may have it by now
                channel.answer({"type": "declined", "request_id": member["request_id"]})
                break
            confinement.grant_cpu(member["remaining_s"])
            answer, result = act(member, event, text)
            channel.end_copy()
            answer["request_id"] = member["request_id"]
            if len(sys.modules) != modules:  # imported while running: a change of that file counts from now on
                modules = len(sys.modules)
                answer["code_files"] = importer.files_of(loaded["root"], loaded["module"])
            _look_around(answer, run, fresh, is_over=run.is_over(act))
            channel.answer(answer, result)
            if answer["has_children"] or answer.get("leftovers") or not answer.get("is_clean"):
                break  # the runtime has something to do; it takes the others back and sends them again
        os.chdir("/")


def _events(body: bytes) -> Iterator[tuple[Any, str]]:
    """Yield each event of a JSON array with its own text: a parsed number has lost digits."""
    text = body.decode()
    place = _after_blanks(text, 1)
    while place < len(text) and text[place] != "]":
        event, end = DECODER.raw_decode(text, place)
        yield event, text[place:end]
        place = _after_blanks(text, _after_blanks(text, end) + 1)  # behind the comma


def _after_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\n", "\r"):
        place += 1
    return place


def _look_around(answer: dict[str, Any], run: FunctionRunner, fresh: FreshState, *, is_over: bool) -> None:
    """Add to the answer what the request used, and what it left behind: then this sandbox is not used again.

    is_over: no code of the request follows.
    """
    status, has_children = run.peak.read(), _has_children()
    answer["max_rss_mb"], answer["has_children"] = run.peak.mb(status), has_children
    if not is_over:
        return
    left = ["a child process"] if has_children and hasattr(os, "waitid") else []
    try:
        left += fresh.restore(status)
    except BaseException as error:  # user code has closed our descriptors, or its signal handler raised
        left.append(f"a process that cannot be looked at ({type(error).__name__}: {error})")
    if left:
        answer["leftovers"] = ", ".join(left)


def _placed(head: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The members of a group that came together, each with what they share, as it is when its turn comes."""
    received = time.monotonic()
    for member in head["members"]:
        passed_s = time.monotonic() - received
        yield {
            "workdir": head["workdir"],
            "deadline": head["now"] + passed_s + head["limit_s"],
            "remaining_s": head["limit_s"],
            "valid_s": head["valid_s"] - passed_s,
            **member,
        }


def _load(channel: Channel, head: dict[str, Any]) -> Function:
    try:
        function = importer.load(head["root"], head["module"], head["function"])
        function.describe()  # what cannot be described is refused before the first request
        confinement.confine(function.options["memory_mb"], network=function.network or head.get("is_offline", False))
    except BaseException as error:
        _refuse(channel, error)
    gc.collect()
    gc.freeze()  # what was imported stays for good: later collections need not walk it
    return function


def _describe(channel: Channel, head: dict[str, Any]) -> None:
    try:
        functions, failed = importer.describe(head["root"], head["module"])
    except BaseException as error:
        _refuse(channel, error, files=importer.files_behind_error(error, head["root"], head["module"]))
    described: dict[str, Any] = {"type": "described", "functions": functions}
    if failed is None:
        described["files"] = importer.files_of(head["root"], head["module"])
    else:
        described["files"] = importer.files_behind_error(failed, head["root"], head["module"])
        described["failure"] = failure(failed, "import")
    if (size := len(json.dumps(described))) > MAX_HEAD:
        _refuse(channel, LocalfnError(f"the functions' schemas and options have {size} bytes; use at most {MAX_HEAD}"))
    channel.answer(described)


def _refuse(channel: Channel, error: BaseException, **more: Any) -> NoReturn:
    with contextlib.suppress(OSError):
        # LocalfnError is raised by us about a declaration: our frames are no news to its reader.
        answer = failure(error, "import") | {"type": "refused"} | more
        if isinstance(error, LocalfnError):
            answer["error_type"] = type(error).__name__
        channel.answer(answer)
    os._exit(1)


def _prepare_process() -> None:
    if "" in sys.path:  # put there by `-c`: the current directory is no place to import from
        sys.path.remove("")
    confinement.drop_privileges()
    confinement.shrink_thread_stacks()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        # The process that started us owns us: when it dies, so do we. And what our children start and
        # abandon comes back to us instead of to init, so that it is found and killed with us.
        die_with_parent(signal.SIGKILL)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _log_to_stderr() -> None:
    faulthandler.enable()  # a crash in C leaves its traceback in the request's log
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def die_with_parent(number: int) -> None:
    """Linux only: the kernel sends `number` when the parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def _has_children() -> bool:
    """Whether a request left processes behind: its own, or orphans that came to us as their subreaper."""
    if not hasattr(os, "waitid"):
        return True  # nobody can tell here: the runtime has to look
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
