"""Functions that print: in turns to both streams, much, without line ends, and what is no text."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from localfn import Context, function


@function
def print_lines(event: Any, context: Context) -> Any:
    for number in range(event["count"]):
        print(f"{number:0{event['width']}d}")


@function
def show_progress(event: Any, context: Context) -> Any:
    """A progress bar and a prompt, until the flag is there."""
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
    """The same byte, millions of times, and a last line."""
    piece = bytes([event["byte"]]) * 1_000_000
    for _ in range(event["millions"]):
        os.write(1, piece) if event.get("raw") else sys.stdout.buffer.write(piece)
    print("\nthe end")
