"""Checks the interpreter that is to run user code, before anything is started for it."""

import shutil
import subprocess
import sys

from infra.errors import InterpreterError

# What the SDK inside the sandbox is written for.
OLDEST = (3, 9)
ASK = "import platform, sys; print(platform.python_implementation(), *sys.version_info[:2])"


def check_interpreter(python: str) -> None:
    """Raises InterpreterError unless `python` is CPython 3.9 or newer."""
    if python == sys.executable:
        return
    path = shutil.which(python)
    if path is None:
        raise InterpreterError(f"LOCALFN_PYTHON: there is no program {python!r}.")
    try:
        done = subprocess.run([path, "-I", "-S", "-c", ASK], capture_output=True, text=True, check=False, timeout=30)
        name, major, minor = done.stdout.split()
        version = (int(major), int(minor))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(f"LOCALFN_PYTHON: {path} does not answer as a Python interpreter.") from error
    if name != "CPython" or version < OLDEST:
        raise InterpreterError(f"LOCALFN_PYTHON: {path} is {name} {major}.{minor}; CPython 3.9 or newer is needed.")
