"""Select the account of functions when root starts localfn: the default, a configured one, or root as a last resort."""

import json
import pwd
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.config.settings import load
from infra.sandbox import user_selection
from tests.conftest import StartRuntime
from tests.integration.security.sandbox.sandbox_users import NOBODY_NAMED, needs_root, open_python
from tests.support.commands import localfn, localfn_process
from tests.support.runtime import Runtime

pytestmark = needs_root


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Return settings with an interpreter that other accounts can run, and no configured account."""
    return NOBODY_NAMED | {"LOCALFN_PYTHON": open_python()}


def test_functions_run_as_the_configured_account(start_runtime: StartRuntime, settings: dict[str, str]) -> None:
    with start_runtime(settings=settings | {"LOCALFN_SANDBOX_USER": "nobody"}) as own:
        found = own.result("tell_who", {})
        assert (found["user"], found["uids"][0]) == ("nobody", pwd.getpwnam("nobody").pw_uid)
        checks = json.loads(localfn(own, "doctor", "--json").stdout)["checks"]
        shown = next(check for check in checks if check["name"] == "account")
        assert shown["ok"]
        assert shown["detail"].startswith("functions run as nobody (uid ")


def test_functions_run_as_root_if_configured(start_runtime: StartRuntime) -> None:
    with start_runtime(settings={"LOCALFN_SANDBOX_USER": "root"}) as own:
        assert own.result("tell_uid", {}) == 0
        assert "functions run as root" not in (own.home.parent / "log").read_text()


@pytest.fixture
def out_of_reach() -> Iterator[Path]:
    """Yield a folder of functions that only root can enter."""
    with tempfile.TemporaryDirectory(dir="/root") as folder:
        (Path(folder) / "far.py").write_text(
            "import os\nfrom localfn import function\n@function\ndef far(event, context):\n    return os.geteuid()\n"
        )
        yield Path(folder)


def test_unreachable_code_runs_as_root_in_local_mode_with_a_warning(
    start_runtime: StartRuntime, out_of_reach: Path, settings: dict[str, str]
) -> None:
    with start_runtime(settings=settings | {"LOCALFN_FUNCTIONS": str(out_of_reach)}) as own:
        assert own.result("far", {}) == 0
        log = (own.home.parent / "log").read_text()
        assert re.search("functions run as root .*reason=.?localfn \\(uid ", log)
        assert f"has no access to /root, which contains LOCALFN_FUNCTIONS {out_of_reach}/far.py" in log
        assert "LOCALFN_SANDBOX_USER" in log


def test_a_broken_interpreter_does_not_select_root(runtime: Runtime, settings: dict[str, str], tmp_path: Path) -> None:
    """Run functions as the account selected at the start, once the interpreter is repaired."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    found = user_selection.find_user(replace(load(runtime.env | settings), python=str(broken)))
    assert found.account is not None
    assert found.problem == ""


def test_a_namespace_without_other_accounts_is_reported(runtime: Runtime, settings: dict[str, str]) -> None:
    """Run in a user namespace without other accounts, as containers without the host's root do."""
    inside = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespace of users can be made here")
    code = "from infra.config.settings import load; from infra.sandbox import user_selection as u;"
    code += "print(u.find_user(load()))"
    done = subprocess.run(
        [*inside, sys.executable, "-c", code],
        env=runtime.env | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "this root cannot switch to localfn (uid " in done.stdout, done.stderr


@pytest.mark.parametrize("choice", [{"LOCALFN_ENV": "production"}, {"LOCALFN_SANDBOX_USER": "nobody"}])
def test_unreachable_code_is_rejected_in_production_or_with_a_configured_account(
    runtime: Runtime, out_of_reach: Path, settings: dict[str, str], choice: dict[str, str]
) -> None:
    done = localfn_process(runtime, "worker", **(settings | choice), LOCALFN_FUNCTIONS=str(out_of_reach))
    assert done.returncode == 1
    assert done.stderr.strip().startswith("localfn: functions would run as root: ")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["no-such-account", "-1", "4294967295"])
def test_an_unknown_account_is_rejected(runtime: Runtime, name: str) -> None:
    done = localfn_process(runtime, "worker", LOCALFN_SANDBOX_USER=name)
    assert done.returncode == 2
    assert "LOCALFN_SANDBOX_USER" in done.stderr
