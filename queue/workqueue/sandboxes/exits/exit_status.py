"""Describe how a process ended by itself: by its exit status, or by the signal that killed it."""

import signal

HINTS = {
    "SIGKILL": " localfn did not send it.",
    "SIGXCPU": " It used more processor time than its timeout allows on all processors.",
    **dict.fromkeys(
        ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"),
        " The interpreter crashed; if Python could still write its traceback, the log contains it.",
    ),
}


def describe_exit(status: int) -> str:
    """Return a predicate such as "exited with status 1" or "was killed by SIGKILL". status: negative for a signal."""
    return f"was killed by {_signal_name(-status)}" if status < 0 else f"exited with status {status}"


def sandbox_exit_message(status: int, activity: str) -> str:
    """Return the error message for a sandbox that ended. activity: its work at that time, such as "while starting"."""
    hint = HINTS.get(_signal_name(-status), "") if status < 0 else ""
    return f"The sandbox {describe_exit(status)} {activity}.{hint}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
