"""End functions in each way that Python allows."""

import asyncio
import faulthandler
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from localfn import Context, Fail, Retry, ValidationError, function


class OwnEnd(BaseException):
    """Inherit from BaseException only."""


class Cancelled(BaseException):
    """Have the name of the runtime's own error type for a cancelled request."""


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class EndlessCause(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no cause can be had")


class Line(BaseModel):
    price: int


class Invoice(BaseModel):
    lines: list[Line]
    number: str


def cancel_a_task() -> None:
    async def work() -> None:
        task = asyncio.ensure_future(asyncio.sleep(10))
        await asyncio.sleep(0)
        task.cancel()
        await task

    asyncio.run(work())


def fail_in_tasks() -> None:
    async def fail(text: str) -> None:
        raise ValueError(text)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("the first"))
            group.create_task(fail("the second"))

    asyncio.run(work())


def recurse() -> None:
    recurse()


def recurse_deeply() -> None:
    sys.setrecursionlimit(1_000_000)
    recurse_in_turns(20_000)


def recurse_in_turns(levels: int) -> None:
    if levels == 0:
        raise ValueError("at the bottom")
    recurse_again(levels - 1)


def recurse_again(levels: int) -> None:
    recurse_in_turns(levels)


def import_late() -> None:
    folder = str(Path.cwd())
    Path("late_with_a_typing_error.py").write_text("def broken(:\n")
    sys.path.insert(0, folder)
    try:
        import late_with_a_typing_error  # type: ignore[import-not-found]  # noqa: F401
    finally:
        sys.path.remove(folder)


def exhaust_memory() -> None:
    kept = []
    while True:
        kept.append(bytes(1 << 26))  # untouched memory: only the limit on address space counts it


def raise_in_a_thread() -> None:
    thread = threading.Thread(target=lambda: sys.exit(1))
    thread.start()
    thread.join()
    thread = threading.Thread(target=recurse)
    thread.start()
    thread.join()


def raise_when_deleted() -> None:
    class Deleted:
        def __del__(self) -> None:
            raise ValueError("in __del__")

    Deleted()


@function
def use_up_the_processor_time(event: Any, context: Context) -> Any:
    used = sum(os.times()[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    while True:
        pass


def kill_itself(number: signal.Signals) -> None:
    faulthandler.disable()
    os.kill(os.getpid(), number)
    time.sleep(60)


def throw(error: BaseException) -> None:
    raise error


WAYS = {
    "KeyboardInterrupt": lambda: throw(KeyboardInterrupt()),
    "GeneratorExit": lambda: throw(GeneratorExit("over")),
    "StopIteration": lambda: next(iter(())),
    "own": lambda: throw(OwnEnd("of my own")),
    "named as ours": lambda: throw(Cancelled("by trio")),
    "cancelled": cancel_a_task,
    "group": fail_in_tasks,
    "nested group": lambda: throw(BaseExceptionGroup("outer", [ExceptionGroup("inner", [KeyError("k")]), OwnEnd("o")])),
    "group with Fail": lambda: throw(ExceptionGroup("g", [ValueError("v"), Fail("final")])),
    "group with ValidationError": lambda: throw(ExceptionGroup("g", [ValidationError("bad"), Retry(delay_s=0)])),
    "group with Retry": lambda: throw(ExceptionGroup("g", [ExceptionGroup("h", [Retry("r", delay_s=0.1)])])),
    "exit with a text": lambda: sys.exit("there is no such city"),
    "exit 0": lambda: sys.exit(0),
    "exit 3": lambda: sys.exit(3),
    "exit": lambda: sys.exit(),  # noqa: PLW0108 - its line stands in the traceback
    "exit hard": lambda: os._exit(7),
    "recursion": recurse,
    "deep recursion": recurse_deeply,
    "mute": lambda: throw(Mute()),
    "no cause": lambda: throw(EndlessCause("why")),
    "huge": lambda: throw(ValueError("x" * 10_000_000)),
    "half a character": lambda: throw(ValueError("a\ud800b\0c")),
    "late syntax error": import_late,
    "memory": exhaust_memory,
    "said memory": lambda: throw(MemoryError("the cache is full")),
    "SIGTERM": lambda: kill_itself(signal.SIGTERM),
    "SIGKILL": lambda: kill_itself(signal.SIGKILL),
    "SIGSEGV": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "SIGABRT": os.abort,
    "model": lambda: Invoice.model_validate({"lines": [{"price": "x"}]}),
    "thread": raise_in_a_thread,
    "__del__": raise_when_deleted,
}


@function(max_attempts=2, retry_delay_s=0, memory_mb=96)
def end(event: Any, context: Context) -> Any:
    """End in the way that the event names."""
    WAYS[event]()
    return os.getpid()


@function(input=Invoice)
def read_invoice(invoice: Invoice, context: Context) -> Any:
    return invoice.number


@function(max_attempts=2, retry_delay_s=0)
def end_early(event: Any, context: Context) -> Any:
    return event


@end_early.validate
def check_end(event: Any, context: Context) -> Any:
    WAYS[event]()


@function
def fork_and_exit(event: Any, context: Context) -> Any:
    """Return the status of a forked child that ends in the way that the event names."""
    pid = os.fork()
    if pid == 0:
        WAYS[event]()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@function(memory_mb=96)
def die_when_told(event: Any, context: Context) -> Any:
    began = time.monotonic()
    while not Path(event["flag"]).exists():
        context.progress(min(1.0, (time.monotonic() - began) / 4))
        time.sleep(0.05)
    kill_itself(signal.SIGKILL)


@function
def end_late(event: Any, context: Context) -> Any:
    return event


@end_late.cleanup
def clean_end(event: Any, context: Context) -> None:
    WAYS[event]()


@function
def close_the_wire(event: Any, context: Context) -> Any:
    os.closerange(3, 256)
    time.sleep(60)
