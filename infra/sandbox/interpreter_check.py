"""Check the interpreter for user code before a start."""

import shutil
import subprocess
import sys

from infra.errors import InterpreterError

# The SDK supports this version in sandboxes.
MIN_VERSION = (3, 9)
PROBE_CODE = "import platform, sys; print(platform.python_implementation(), *sys.version_info[:2])"


def check_interpreter(python: str) -> None:
    """Raise InterpreterError unless `python` is CPython 3.9 or newer."""
    if python == sys.executable:
        return
    path = shutil.which(python)
    if path is None:
        raise InterpreterError(f"LOCALFN_PYTHON: the program {python!r} does not exist.")
    try:
        command = [path, "-I", "-S", "-c", PROBE_CODE]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        name, major, minor = done.stdout.split()
        version = (int(major), int(minor))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(f"LOCALFN_PYTHON: {path} is not a working Python interpreter.") from error
    if name != "CPython" or version < MIN_VERSION:
        raise InterpreterError(f"LOCALFN_PYTHON: {path} is {name} {major}.{minor}; use CPython 3.9 or newer.")
