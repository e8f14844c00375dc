"""Misbehave in ways that could end the worker."""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from localfn import Context, function


@function
def raise_error(event: Any, context: Context) -> Any:
    raise KeyError("missing")


@function
def exit_hard(event: Any, context: Context) -> Any:
    print("last words", flush=True)
    os._exit(3)


@function
def exit_softly(event: Any, context: Context) -> Any:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    sys.exit(4)


@function
def crash(event: Any, context: Context) -> Any:
    ctypes.string_at(0)


@function
def flood(event: Any, context: Context) -> Any:
    line = "x" * 99 + "\n"
    for _ in range(300_000):
        sys.stdout.write(line)
    print("the end")
    return "flooded"


@function
def one_endless_line(event: Any, context: Context) -> Any:
    for _ in range(1000):
        sys.stdout.write("y" * 10_000)
    return "written"


@function
def close_all_descriptors(event: Any, context: Context) -> Any:
    os.closerange(0, 256)
    return "closed"


@function(timeout_s=1)
def ignore_signals(event: Any, context: Context) -> Any:
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(3600)


@function(timeout_s=1)
def spin_in_c(event: Any, context: Context) -> Any:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    return sum(range(10**12))


@function(timeout_s=1)
def swallow_everything(event: Any, context: Context) -> Any:
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue


@function(timeout_s=1)
def leave_grandchildren(event: Any, context: Context) -> Any:
    """Leave three grandchildren: a plain one, one in a new session, an orphan."""
    sleeper = [
        sys.executable,
        "-c",
        f"import time, os; open({event['pids']!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(3600)",
    ]
    subprocess.Popen(sleeper)
    subprocess.Popen(sleeper, start_new_session=True)
    orphaner = f"import subprocess, sys; subprocess.Popen({sleeper!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", orphaner], check=True)
    time.sleep(3600)


@function
def exit_with_grandchild(event: Any, context: Context) -> Any:
    code = f"import time, os; open({event['pids']!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(3600)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not (Path(event["pids"]).exists() and Path(event["pids"]).read_text()):
        time.sleep(0.01)
    assert child.poll() is None
    os._exit(5)


@function
def return_the_unserialisable(event: Any, context: Context) -> Any:
    return {
        "set": {1, 2},
        "object": object(),
        "bytes": b"x",
        "nan": float("nan"),
        "socket": socket.socket,
        "loop": endless(),
        "surrogate": "\ud800",
        "nul": "a\0b",
    }[event["kind"]]


@function
def return_too_much(event: Any, context: Context) -> Any:
    return "x" * (7 * 1024 * 1024)


@function
def error_without_words(event: Any, context: Context) -> Any:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise Mute


@function
def fork_and_speak(event: Any, context: Context) -> Any:
    """Fork a child, which inherits the socket; its frames must not reach the runtime."""
    pid = os.fork()
    if pid == 0:
        context.progress(0.5, "from the child")
        os._exit(0)
    os.waitpid(pid, 0)
    return "spoke"


@function(max_attempts=3, retry_delay_s=0.1)
def always_exit(event: Any, context: Context) -> Any:
    os._exit(1)


def endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@function
def report_half_a_letter(event: Any, context: Context) -> Any:
    """Report progress that PostgreSQL cannot store, for long enough to be stored."""
    context.progress(0.5, "file " + os.fsdecode(b"\xff.txt") + "\0")
    time.sleep(1.5)
    return "reported"


@function
def raise_the_unstorable(event: Any, context: Context) -> Any:
    raise ValueError("bad\0value " + os.fsdecode(b"\xff"))


@function
def swap_its_output_for_a_link(event: Any, context: Context) -> Any:
    Path("a.txt").write_text("x")
    context.save_file("a.txt")
    (context.workdir / ".output" / "a.txt").unlink()
    (context.workdir / ".output" / "a.txt").symlink_to("/etc/passwd")


@function
def leave_a_child_behind(event: Any, context: Context) -> Any:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    return child.pid


@function
def orphan_without_a_trace(event: Any, context: Context) -> Any:
    """Leave an orphan in a new session, with an empty environment."""
    code = f"import time, os; open({event['pids']!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(3600)"
    starter = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}], start_new_session=True, env={{}})"
    )
    subprocess.run([sys.executable, "-c", starter], env={}, check=True)
    while not (Path(event["pids"]).exists() and Path(event["pids"]).read_text()):
        time.sleep(0.01)
    os._exit(3)


@function(timeout_s=3)
def read_nothing(event: Any, context: Context) -> Any:
    """Leave a thread that freezes the sandbox after its answer, so that it does not read the next event."""

    def freeze() -> None:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGSTOP)

    threading.Thread(target=freeze).start()


@function(max_attempts=2, retry_delay_s=0)
def clean_up_slowly(event: Any, context: Context) -> Any:
    note(event, f"run {context.attempt}")
    if context.attempt == 1:
        raise RuntimeError("again")


@clean_up_slowly.cleanup
def slowly(event: Any, context: Context) -> None:
    time.sleep(1)
    note(event, f"clean {context.attempt}")


def note(event: Any, line: str) -> None:
    with Path(event["ledger"]).open("a") as ledger:
        ledger.write(line + "\n")


@function
def leave_everywhere(event: Any, context: Context) -> Any:
    """Put a text, which may be invalid Unicode, in each place where a function can put one."""
    text, fraction = event["escaped"].encode().decode("unicode_escape"), float(event["fraction"])
    os.write(1, text.encode("utf-8", "surrogatepass") + b"\n")
    context.logger.warning("%s", text)
    with contextlib.suppress(ValueError):
        context.progress(fraction, text)
    Path("out").write_text("x")
    with contextlib.suppress(ValueError, OSError):
        context.save_file("out", name=text)
    if event["fails"]:
        raise type(re.sub(r"\W", "_", text)[:50] or "x", (Exception,), {})(text)
    return {text: [text, fraction]}
