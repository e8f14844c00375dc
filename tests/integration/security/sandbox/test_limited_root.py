"""Confine sandboxes even as a root without some capabilities, as in containers."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.sandbox import sdk_link
from tests.integration.security.sandbox.sandbox_users import OTHER, needs_root, open_python
from tests.support.waiting import wait_until
from workqueue.sandboxes.connection import Frame, Output, SandboxConnection
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.unix_user import UnixUser

pytestmark = needs_root


@pytest.fixture(scope="module")
def python() -> str:
    return open_python()


def test_a_root_without_ptrace_finds_stray_processes(python: str) -> None:
    """Containers drop CAP_SYS_PTRACE, so root cannot read variables of other accounts' processes."""
    code = (
        "import subprocess, sys\nfrom workqueue.sandboxes import process_tree\n"
        "from workqueue.sandboxes.unix_user import drop_supplementary_groups\n"
        "drop_supplementary_groups()\n"
        f"one = [{python!r}, '-c', 'print(flush=True); import time; time.sleep(60)']\n"
        f"stray = subprocess.Popen(one, env={{process_tree.TAG: 'mine'}}, user={OTHER}, group={OTHER}, "
        "extra_groups=[], stdout=subprocess.PIPE)\n"
        "stray.stdout.readline()\n"
        "try:\n    open(f'/proc/{stray.pid}/environ').read()\n    print('no test: it may trace')\n"
        "except PermissionError:\n    process_tree.kill_tagged('mine')\n    print(stray.wait(10))\n"
    )
    without = "-sys_ptrace,-sys_admin,-perfmon"  # Newer kernels treat the other two alike.
    limited = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", sys.executable, "-c", code]
    done = subprocess.run(limited, capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.strip() == "-9", done.stderr


def test_root_removes_the_network_if_the_account_cannot(python: str, tmp_path: Path) -> None:
    account = UnixUser("other", OTHER, OTHER, tmp_path, can_unshare_network=False)
    interpreter = Interpreter(python, sdk_link.sdk_folder().parent, {}, 1 << 20, account)
    (tmp_path / "alone.py").write_text(
        "import socket\nfrom localfn import function\nAT_IMPORT = socket.if_nameindex()\n"
        "@function(network=False)\ndef alone(event, context):\n    return None\nprint(AT_IMPORT)\n"
    )
    load = {"type": "load", "root": str(tmp_path), "module": "alone", "function": "alone", "network": False}
    child = interpreter.start(load, {})
    sandbox = SandboxConnection(child, 1 << 20)
    try:
        news = [wait_until(lambda: sandbox.next_message(0.1), what="it speaks")]
        while not isinstance(news[-1], Frame) or news[-1].type == "started":
            news.append(wait_until(lambda: sandbox.next_message(0.1), what="it is ready"))
        assert news[-1].type == "ready", news[-1].head
        assert b"[(1, 'lo')]" in b"".join(item.data for item in news if isinstance(item, Output))
        assert len(socket.if_nameindex()) > 1, "we are where we were"
    finally:
        child.end()
        child.close()
