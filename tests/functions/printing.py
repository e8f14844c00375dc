"""Print: alternating between both streams, much, without line ends, and bytes that are not text."""

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localfn import Context, function


@function
def print_lines(event: Any, context: Context) -> Any:
    for number in range(event["count"]):
        print(f"{number:0{event['width']}d}")


@function
def show_progress(event: Any, context: Context) -> Any:
    """Print a progress bar and a prompt until the flag exists."""
    print("Name: ", end="", flush=True)
    number = 0
    while not Path(event["flag"]).exists():
        number += 1
        print(f"\r{number} of many", end="", file=sys.stderr, flush=True)
        time.sleep(0.01)
    print("\r100 %", file=sys.stderr)
    print("Ada")


@function
def print_bytes(event: Any, context: Context) -> Any:
    """Print the same byte, millions of times, and a last line."""
    piece = bytes([event["byte"]]) * 1_000_000
    for _ in range(event["millions"]):
        os.write(1, piece) if event.get("raw") else sys.stdout.buffer.write(piece)
    print("\nthe end")


@function
def print_in_turns(event: Any, context: Context) -> Any:
    """Print even numbers to stdout, odd numbers to stderr."""
    ways: dict[str, Callable[[int], Any]] = {
        "print": lambda n: print(n, file=sys.stderr if n % 2 else sys.stdout),
        "os.write": lambda n: os.write(1 + n % 2, f"{n}\n".encode()),
        "logger": lambda n: context.logger.warning("%s", n) if n % 2 else print(n),
        "threads": in_thread,
        "one by one": lambda n: (sys.stderr if n % 2 else sys.stdout).write(f"{n}\n"),
    }
    for number in range(2 * event["count"]):
        ways[event["way"]](number)


def in_thread(number: int) -> None:
    thread = threading.Thread(target=print, args=(number,), kwargs={"file": sys.stderr if number % 2 else sys.stdout})
    thread.start()
    thread.join()


@function
def print_around_others(event: Any, context: Context) -> Any:
    print("before")
    subprocess.run(["sh", "-c", 'echo "child\'s error" >&2'], check=True)
    subprocess.run(["sh", "-c", 'sleep 0.1; echo "child\'s output"'], check=True)
    ctypes.CDLL(None).puts(b"from C")
    print("after", file=sys.stderr)
    os.system('echo "another child\'s error" >&2')
    time.sleep(0.01)
    print("at the end")
