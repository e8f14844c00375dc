"""Define well-behaved functions, one for each feature of a function."""

import datetime
import decimal
import os
import pathlib
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from localfn import Context, Fail, Retry, ValidationError, function

calls = 0


@dataclass
class Point:
    x: int
    y: int


class Order(BaseModel):
    article: str
    count: int = 1
    due: datetime.date | None = None


@function
def echo(event: Any, context: Context) -> Any:
    """Return the event."""
    return event


@function
def count_calls(event: Any, context: Context) -> Any:
    global calls
    calls += 1
    return {"calls": calls, "pid": os.getpid()}


@function
def everything(event: Any, context: Context) -> Any:
    return {
        "dataclass": Point(1, 2),
        "model": Order(article="a", due=datetime.date(2026, 1, 2)),
        "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        "decimal": decimal.Decimal("1.5"),
        "uuid": uuid.UUID(int=1),
        "path": pathlib.PurePosixPath("a/b"),
        "tuple": (1, 2),
        "ünïcode": "€ \u2028",
    }


@function
def environment(event: Any, context: Context) -> Any:
    return dict(os.environ)


@function(environment={"COLOUR": "blue"})
def own_environment(event: Any, context: Context) -> Any:
    return os.environ["COLOUR"]


@function(max_attempts=3, timeout_s=30)
def tell_context(event: Any, context: Context) -> Any:
    return {
        "request_id": context.request_id,
        "function_name": context.function_name,
        "attempt": context.attempt,
        "max_attempts": context.max_attempts,
        "remaining_ms": context.remaining_ms(),
        "workdir": str(context.workdir),
        "cwd": str(pathlib.Path.cwd()),
        "files": {name: path.read_text() for name, path in context.files.items()},
    }


@function
def talk(event: Any, context: Context) -> Any:
    print("on stdout")
    os.write(2, b"on stderr\n")
    context.logger.warning("through logging")
    os.system("echo from a child")


@function
def save_files(event: Any, context: Context) -> Any:
    pathlib.Path("a.txt").write_text("first")
    context.save_file("a.txt")
    pathlib.Path("a.txt").write_text("changed afterwards")
    pathlib.Path("b.bin").write_bytes(b"\0\1\2")
    context.save_file("b.bin", name="ä b.bin")
    return "saved"


@function
def save_outside(event: Any, context: Context) -> Any:
    context.save_file("x.txt", name="../x.txt")


@function
def follow_progress(event: Any, context: Context) -> Any:
    context.progress(0.25, "a quarter")
    until(event["flag"])
    context.progress(1, "done")


@function(input=Order)
def order_as_model(order: Order, context: Context) -> Any:
    return {"type": type(order).__name__, "article": order.article, "count": order.count}


@function(input=Order)
def order_as_dict(event: dict[str, Any], context: Context) -> Any:
    return {"type": type(event).__name__, **event}


@function(
    input={
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "required": ["n"],
        "additionalProperties": False,
    }
)
def by_schema(event: dict[str, Any], context: Context) -> Any:
    return event["n"] + 1


@function(input={"type": "object", "required": ["flag"]})
def wait_by_schema(event: dict[str, Any], context: Context) -> None:
    until(event["flag"])


@function
def hooked(event: dict[str, Any], context: Context) -> Any:
    if event["do"] == "raise":
        raise RuntimeError("as asked")
    if event["do"] == "exit":
        os._exit(1)
    if event["do"] == "wait":
        until(event["flag"])
    return event


@hooked.validate
def check(event: dict[str, Any], context: Context) -> dict[str, Any]:
    if event["do"] == "refuse":
        raise ValidationError("refused by the hook")
    return {**event, "normalised": True}


@hooked.cleanup
def tidy(event: dict[str, Any], context: Context) -> None:
    with pathlib.Path(event["ledger"]).open("a") as ledger:
        ledger.write(f"{context.attempt} {event.get('normalised', False)} {context.workdir.is_dir()}\n")
    print("tidied")
    if event.get("break_cleanup"):
        raise RuntimeError("cleanup is broken")


@function(max_attempts=3, retry_delay_s=0.1)
def fail_twice(event: Any, context: Context) -> Any:
    if context.attempt < 3:
        raise ConnectionError(f"attempt {context.attempt}")
    return context.attempt


@function(max_attempts=2, retry_delay_s=60)
def ask_for_retry(event: Any, context: Context) -> Any:
    raise Retry("not yet", delay_s=0.1)


@function(max_attempts=2)
def retry_in_an_hour(event: Any, context: Context) -> Any:
    if context.attempt == 1:
        raise Retry("come back later", delay_s=3600)
    return context.attempt


@function(max_attempts=5)
def fail_now(event: Any, context: Context) -> Any:
    raise Fail("there is no point in trying again")


@function(max_attempts=2, retry_delay_s=0.1)
def tell_trace(event: Any, context: Context) -> Any:
    if context.attempt == 1:
        raise ConnectionError("the line is busy")
    return context.traceparent


@function(timeout_s=3600)
def wait_for_flag(event: Any, context: Context) -> Any:
    until(event["flag"])
    return "seen"


@function(queue="low")
def on_low(event: Any, context: Context) -> Any:
    return "low"


def until(flag: str) -> None:
    while not pathlib.Path(flag).exists():
        time.sleep(0.01)


@function(max_attempts=2, retry_delay_s=300)
def fail_slowly(event: Any, context: Context) -> Any:
    raise ConnectionError("wait for me")


@function
def run_with_child(event: Any, context: Context) -> Any:
    """Run forever, with a child in a new session; write both pids to a file."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    pathlib.Path(event["pids"] + ".new").write_text(f"{os.getpid()} {child.pid}")
    pathlib.Path(event["pids"] + ".new").rename(event["pids"])
    child.wait()


@function(timeout_s=60)
def sleep_and_note(event: Any, context: Context) -> Any:
    """Write the start to a ledger, then work for a while."""
    with pathlib.Path(event["ledger"]).open("a") as ledger:
        ledger.write(f"{context.attempt} {os.getpid()}\n")
    time.sleep(event["seconds"])
    return context.attempt


@function(timeout_s=60, on_lost="fail")
def start_only_once(event: Any, context: Context) -> Any:
    with pathlib.Path(event["ledger"]).open("a") as ledger:
        ledger.write(f"{context.attempt} {os.getpid()}\n")
    time.sleep(event["seconds"])
    return context.attempt


@function(timeout_s=60)
def count_aloud(event: Any, context: Context) -> Any:
    """Print a number every few milliseconds; the first attempt never ends."""
    number = 0
    while context.attempt == 1:
        number += 1
        print(number)
        time.sleep(0.005)
    return "counted"
