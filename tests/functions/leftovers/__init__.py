"""Leave something in a sandbox, and return the state that a request finds."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from localfn import Context, function

from .ending import ENDING
from .harmless import HARMLESS
from .restored import RESTORED
from .state import kept, look


@function
def leave(event: Any, context: Context) -> Any:
    """Return the state that the request found, and run the action that its event names."""
    found = look(context)
    if "do" in event:
        {**ENDING, **RESTORED, **HARMLESS}[event["do"]](context)
    return found


@function
def write_later(event: Any, context: Context) -> Any:
    """Leave a thread that writes into the later current folder and log; return the text of another one."""
    later = Path("later.txt")

    def write() -> None:
        while True:
            later.write_text(f"data of {event['n']}")
            print(f"written for {event['n']}")

    found = later.exists()
    if event.get("leaves"):
        threading.Thread(target=write, daemon=True).start()
    else:
        time.sleep(0.002)
    if later.exists() and not event.get("leaves"):
        found = True
    return {"n": event["n"], "found": found}


@function
def alarm_soon(event: Any, context: Context) -> Any:
    """Leave an alarm that ends the process soon."""
    if event.get("leaves"):
        signal.setitimer(signal.ITIMER_REAL, 0.005)
    else:
        time.sleep(0.003)
    return event["n"]


@function
def stop_in_cleanup(event: Any, context: Context) -> Any:
    """Start a thread; the cleanup hook ends it if the event says so."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="until cleanup")
    thread.start()
    kept[:] = [over, thread]
    return os.getpid()


@stop_in_cleanup.cleanup
def stop(event: Any, context: Context) -> None:
    print("cleaned up")
    if event.get("stops"):
        over, thread = kept
        over.set()
        thread.join()
