"""Run the main loop of a sandbox: load one function, then run one request after another.

Starts as `python -c 'from localfn.runtime.sandbox_main import main; main(FDS)'`. Receives the frames (frames.py)
"load", "run" with one or more requests, and "cleanup"; sends "started", then "ready" or "refused", then for each
request "phase", "progress", and "done", "failed" or "declined". It ends when the socket closes.
For discovery it receives "describe" instead, sends "described" or "refused", and ends.
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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from localfn.declaration import Function
from localfn.errors import LocalfnError
from localfn.outcome.failure import failure
from localfn.process_state.leftovers import FreshState
from localfn.runtime import confinement, importer
from localfn.runtime.channel import Channel
from localfn.runtime.frames import MAX_HEAD
from localfn.runtime.output_order import mark_output
from localfn.runtime.runner import Answer, FunctionRunner

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
DECODER = json.JSONDecoder()
STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def main(fds: Sequence[int]) -> None:
    """Serve the runtime until it closes the socket.

    fds: descriptors of the socket for frames and of the socket for start tokens.
    """
    _prepare_process()
    control, tokens = fds
    channel = Channel(control, tokens, max_body=1 << 31)
    mark_output(channel.marks)
    _log_to_stderr()
    frame = channel.receive()
    if frame is None:
        return
    channel.send({"type": "started"})  # if this process ends from now on, user code ended it
    head, _ = frame
    channel.marks.mark = head["mark"].encode()
    os.environ.update(head.get("environment", {}))  # set here: /proc/PID/environ shows the variables of the start
    if head["type"] == "describe":
        _describe(channel, head)
        return
    run = FunctionRunner(_load(channel, head), channel.send, head["max_result_bytes"])
    fresh = FreshState(run.peak, run.function.name)
    files = importer.files_of(head["root"], head["module"])
    channel.answer({"type": "ready", "has_checks": run.has_checks, "files": files})
    RequestLoop(channel, run, fresh, head).run()
    # The runtime is gone. Threads and exit handlers of past requests must not outlive it.
    os._exit(0)


class RequestLoop:
    """Run the requests that the runtime sends, one after another. loaded: the head of the "load" frame.

    halts: answers after which the runtime has to act before the next request: what it sent before it knew is skipped.
    """

    def __init__(self, channel: Channel, run: FunctionRunner, fresh: FreshState, loaded: dict[str, Any]) -> None:
        self.channel, self.runner, self.fresh, self.loaded = channel, run, fresh, loaded
        self.modules = len(sys.modules)
        self.halts = 0

    def run(self) -> None:
        """Run what the runtime sends, until it closes the socket."""
        while (frame := self.channel.receive()) is not None:
            head, body = frame
            if head["type"] == "cleanup":
                ((event, text),) = _parse_events(b"[%b]" % body)
                self._answer(head, self.runner.cleanup, event, text)
            elif head["halts"] == self.halts:
                self._run_members(head, body)
            os.chdir("/")

    def _run_members(self, head: dict[str, Any], body: bytes) -> None:
        for member, (event, text) in zip(_expand_members(head), _parse_events(body)):
            if not self.channel.take_start_token(head["round"]):
                return  # recalled, with all later requests
            if head["valid_until"] < steady_s():  # the lease may have expired, and another worker may run the request
                self.halts += 1
                self.channel.answer({"type": "declined", "request_id": member["request_id"]})
                return
            if not self._answer(member, self.runner.invoke, event, text):
                self.halts += 1
                return  # the runtime recalls the other requests, and sends them again

    def _answer(self, member: dict[str, Any], act: Callable[..., Answer], event: Any, text: str) -> bool:
        """Run a request, or its cleanup, and answer. Return True if the next request may follow at once."""
        confinement.limit_cpu(member["remaining_s"])
        answer, result = act(member, event, text)
        self.channel.exit_if_forked()
        answer["request_id"] = member["request_id"]
        if len(sys.modules) != self.modules:  # imported during the request: changes of these files count from now on
            self.modules = len(sys.modules)
            answer["code_files"] = importer.files_of(self.loaded["root"], self.loaded["module"])
        _add_usage(answer, self.runner, self.fresh, is_over=self.runner.is_over(act))
        self.channel.answer(answer, result)
        return not _has_left(answer)


def _has_left(answer: dict[str, Any]) -> bool:
    """Return True if the runtime has to act before another request runs here."""
    return bool(answer["has_children"] or answer.get("leftovers") or not answer.get("is_clean"))


def _parse_events(body: bytes) -> Iterator[tuple[Any, str]]:
    """Yield each event of a JSON array, parsed and as text: parsing may lose digits of numbers."""
    text = body.decode()
    place = _skip_blanks(text, 1)
    while place < len(text) and text[place] != "]":
        event, end = DECODER.raw_decode(text, place)
        yield event, text[place:end]
        place = _skip_blanks(text, _skip_blanks(text, end) + 1)  # after the comma


def _skip_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\n", "\r"):
        place += 1
    return place


def _add_usage(answer: dict[str, Any], run: FunctionRunner, fresh: FreshState, *, is_over: bool) -> None:
    """Add the peak memory and the leftovers of the request to the answer. The runtime ends a sandbox with leftovers.

    is_over: True if no code of the request follows.
    """
    status, has_children = run.peak.read(), _has_children()
    answer["max_rss_mb"], answer["has_children"] = run.peak.mb(status), has_children
    if not is_over:
        return
    left = ["a child process"] if has_children and hasattr(os, "waitid") else []
    try:
        left += fresh.restore(status)
    except BaseException as error:  # user code closed descriptors of the SDK, or its signal handler raised
        left.append(f"a process that cannot be inspected ({type(error).__name__}: {error})")
    if left:
        answer["leftovers"] = ", ".join(left)


def _expand_members(head: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each request of a batch with the shared fields; its deadline counts from its own start."""
    for member in head["members"]:
        yield {
            "workdir": head["workdir"],
            "deadline": head["wall_offset"] + time.monotonic() + head["limit_s"],
            "remaining_s": head["limit_s"],
            **member,
        }


def steady_s() -> float:
    """Return the seconds of the runtime's clock, which goes on while the machine sleeps (workqueue.clock)."""
    return time.clock_gettime(STEADY_CLOCK)


def _load(channel: Channel, head: dict[str, Any]) -> Function:
    try:
        function = importer.load(head["root"], head["module"], head["function"])
        function.describe()  # reject an invalid declaration before the first request
        if "memory_mb" in head:  # localfn.toml may set another limit than the code
            function.options["memory_mb"] = head["memory_mb"]
        confinement.confine(function.options["memory_mb"], network=function.network or head.get("is_offline", False))
    except BaseException as error:
        _refuse(channel, error)
    gc.collect()
    gc.freeze()  # imported objects stay: later collections skip them
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
        # The SDK raises LocalfnError about a declaration; frames of the SDK do not help its reader.
        answer = failure(error, "import") | {"type": "refused"} | more
        if isinstance(error, LocalfnError):
            answer["error_type"] = type(error).__name__
        channel.answer(answer)
    os._exit(1)


def _prepare_process() -> None:
    if "" in sys.path:  # added by `-c`: never import from the current directory
        sys.path.remove("")
    confinement.drop_privileges()
    confinement.shrink_thread_stacks()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        # The sandbox dies with its parent process. Orphans of its children become its own children instead of
        # init's, so that the runtime finds and kills them with the sandbox.
        die_with_parent(signal.SIGKILL)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _log_to_stderr() -> None:
    faulthandler.enable()  # a crash in C prints a traceback to the request's log
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def die_with_parent(number: int) -> None:
    """Let the kernel send signal `number` to this process when its parent ends. Linux only."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def _has_children() -> bool:
    """Return True if a request left child processes, or orphans of these."""
    if not hasattr(os, "waitid"):
        return True  # unknown here (macOS): the runtime checks
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
