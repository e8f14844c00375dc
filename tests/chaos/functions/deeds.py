"""Define functions that record each execution; the verdict compares the records with the runtime's rows."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localfn import Context, function

# `large` returns 900 kB of JSON and prints as much.
NUMBERS = 130_000
DEPTH = 50
LINES = 20_000
LEDGER = os.environ.get("CHAOS_LEDGER", "/dev/null")


class UnluckyError(Exception):
    """Report a failure that the event asked for."""


def note(what: str, context: Context) -> None:
    """Write a line with one O_APPEND write, so that lines of several processes do not mix."""
    line = {
        "what": what,
        "id": context.request_id,
        "function": context.function_name,
        "attempt": context.attempt,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    fd = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, json.dumps(line).encode() + b"\n")
    finally:
        os.close(fd)


@contextmanager
def record_execution(context: Context) -> Iterator[None]:
    note("start", context)
    yield
    note("end", context)


def answer(event: Any, context: Context) -> dict[str, Any]:
    return {"token": event["token"], "attempt": context.attempt}


@function(timeout_s=30)
def quick(event: Any, context: Context) -> Any:
    with record_execution(context):
        return answer(event, context)


@function(timeout_s=60)
def nap(event: Any, context: Context) -> Any:
    with record_execution(context):
        time.sleep(event["seconds"])
        return answer(event, context)


@function(timeout_s=30)
def large(event: Any, context: Context) -> Any:
    """Burden the worker with a large result, nested deeply, and with many lines of output."""
    with record_execution(context):
        print("\n".join(f"line {number} of {event['token']}" for number in range(LINES)))
        nested: Any = []
        for _ in range(DEPTH):
            nested = [nested]
        return answer(event, context) | {"numbers": list(range(NUMBERS)), "nested": nested}


@function(timeout_s=60)
def long(event: Any, context: Context) -> Any:
    with record_execution(context):
        Path("kept.txt").write_text(event["token"])
        ends_at = time.monotonic() + event["seconds"]
        while (left_s := ends_at - time.monotonic()) > 0:
            context.progress(1 - left_s / event["seconds"], "working")
            print(f"{left_s:.1f} s left")
            time.sleep(min(left_s, 0.5))
        if Path("kept.txt").read_text() != event["token"]:
            raise RuntimeError("another attempt wrote into this working directory")
        return answer(event, context)


@function(timeout_s=30, max_attempts=6, retry_delay_s=0.3)
def flaky(event: Any, context: Context) -> Any:
    with record_execution(context):
        if context.attempt <= event["fails"]:
            raise UnluckyError(f"attempt {context.attempt}")
        return answer(event, context)


@function(timeout_s=30, max_attempts=2, retry_delay_s=0.3)
def doomed(event: Any, context: Context) -> Any:
    with record_execution(context):
        raise UnluckyError("as always")


@function(timeout_s=1, max_attempts=2, retry_delay_s=0.3)
def overdue(event: Any, context: Context) -> Any:
    with record_execution(context):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        time.sleep(600)


@function(timeout_s=30)
def brood(event: Any, context: Context) -> Any:
    """Leave children behind: one in a new session, and an orphan."""
    with record_execution(context):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        subprocess.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"], check=True)
        time.sleep(event["seconds"])
        return answer(event, context)


@function(timeout_s=30, max_attempts=2, retry_delay_s=0.3)
def writer(event: Any, context: Context) -> Any:
    with record_execution(context):
        Path("out.txt").write_text(event["token"])
        context.save_file("out.txt")
        time.sleep(event["seconds"])
        return answer(event, context)


@writer.cleanup
def tidy(event: Any, context: Context) -> None:
    note("cleanup", context)


@function(timeout_s=30)
def reader(event: Any, context: Context) -> Any:
    with record_execution(context):
        content = context.files["data"].read_bytes()
        return answer(event, context) | {"sha256": hashlib.sha256(content).hexdigest()}


@function(timeout_s=30, on_lost="fail")
def once(event: Any, context: Context) -> Any:
    with record_execution(context):
        time.sleep(event["seconds"])
        return answer(event, context)
