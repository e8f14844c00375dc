"""Describes how a sandbox ended by itself: its exit status, or the signal that ended it."""

import signal

HINTS = {
    "SIGKILL": " localfn did not send it.",
    "SIGXCPU": " It used more processor time than its timeout allows on all processors.",
    **dict.fromkeys(
        ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"),
        " The interpreter crashed; if Python could still write its traceback, it stands in the log.",
    ),
}


def describe_exit(status: int, doing: str) -> str:
    """Return a sentence for an exit status, negative for a signal. doing: the work it was at, as a clause."""
    if status >= 0:
        return f"The sandbox exited with status {status} {doing}."
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"The sandbox was ended by {name} {doing}.{HINTS.get(name, '')}"
