"""Share conditions of the tests of the sandbox account: root, and an interpreter that other accounts can run."""

import os
import subprocess
import sys
from typing import Any

import pytest

from infra.sandbox import sdk_link

needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run functions as somebody else, and on Linux"
)
OTHER = 60_706
NOBODY_NAMED = {"LOCALFN_SANDBOX_USER": ""}  # The settings that other tests need on this machine.


def open_python() -> str:
    """Return an interpreter outside root's private folders; skip the test without one."""
    found = next(filter(_is_open, (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3")), None)
    return found or pytest.skip("no interpreter here, or not this code, can be reached by another account")


def _is_open(python: str) -> bool:
    """Return True if another account can run it and import the SDK."""
    ask = [python, "-c", "import sys, localfn; assert sys.version_info >= (3, 9)"]
    variables = {"PYTHONPATH": str(sdk_link.sdk_folder().parent)}
    try:
        identity: dict[str, Any] = {"user": OTHER, "group": OTHER, "extra_groups": []}
        return subprocess.run(ask, env=variables, cwd="/", capture_output=True, check=False, **identity).returncode == 0
    except OSError:
        return False
