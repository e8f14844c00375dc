"""Who runs functions when root starts localfn: their own account, one that is named, or root if nobody else can."""

import json
import pwd
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
from tests.support.commands import localfn
from tests.support.runtime import Runtime

pytestmark = needs_root


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """An interpreter that others get to, and no account that is named."""
    return NOBODY_NAMED | {"LOCALFN_PYTHON": open_python()}


def test_an_account_that_is_named_runs_them(start_runtime: StartRuntime, settings: dict[str, str]) -> None:
    with start_runtime(settings=settings | {"LOCALFN_SANDBOX_USER": "nobody"}) as own:
        found = own.result("tell_who", {})
        assert (found["user"], found["uids"][0]) == ("nobody", pwd.getpwnam("nobody").pw_uid)
        checks = json.loads(localfn(own, "doctor", "--json").stdout)["checks"]
        shown = next(check for check in checks if check["name"] == "account")
        assert shown["ok"]
        assert shown["detail"].startswith("functions run as nobody (uid ")


def test_root_runs_them_when_told_so(start_runtime: StartRuntime) -> None:
    with start_runtime(settings={"LOCALFN_SANDBOX_USER": "root"}) as own:
        assert own.result("tell_uid", {}) == 0
        assert "functions run as root" not in (own.home.parent / "log").read_text()


@pytest.fixture
def out_of_reach() -> Iterator[Path]:
    """Functions where only root gets to."""
    with tempfile.TemporaryDirectory(dir="/root") as folder:
        (Path(folder) / "far.py").write_text(
            "import os\nfrom localfn import function\n@function\ndef far(event, context):\n    return os.geteuid()\n"
        )
        yield Path(folder)


def test_code_out_of_reach_is_run_by_root_locally_and_the_log_says_why(
    start_runtime: StartRuntime, out_of_reach: Path, settings: dict[str, str]
) -> None:
    with start_runtime(settings=settings | {"LOCALFN_FUNCTIONS": str(out_of_reach)}) as own:
        assert own.result("far", {}) == 0
        log = (own.home.parent / "log").read_text()
        assert "functions run as root: localfn (uid " in log
        assert f"has no access to /root, where LOCALFN_FUNCTIONS {out_of_reach}/far.py lies" in log
        assert "LOCALFN_SANDBOX_USER" in log


def test_an_interpreter_that_is_broken_is_no_reason_for_root(
    runtime: Runtime, settings: dict[str, str], tmp_path: Path
) -> None:
    """Once it is mended, whoever was decided on at the start runs it."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    found = user_selection.find_user(replace(load(runtime.env | settings), python=str(broken)))
    assert found.account is not None
    assert found.problem == ""


def test_a_root_of_nobody_else_says_so(runtime: Runtime, settings: dict[str, str]) -> None:
    """As in containers without root of the machine: there is no other account in its namespace."""
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


@pytest.mark.parametrize("wish", [{"LOCALFN_ENV": "production"}, {"LOCALFN_SANDBOX_USER": "nobody"}])
def test_it_is_refused_in_production_and_when_somebody_was_named(
    runtime: Runtime, out_of_reach: Path, settings: dict[str, str], wish: dict[str, str]
) -> None:
    done = localfn(runtime, "worker", **(settings | wish), LOCALFN_FUNCTIONS=str(out_of_reach))
    assert done.returncode == 1
    assert done.stderr.strip().startswith("localfn: functions would run as root: ")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["no-such-account", "-1", "4294967295"])
def test_an_account_that_there_is_not_is_refused(runtime: Runtime, name: str) -> None:
    done = localfn(runtime, "worker", LOCALFN_SANDBOX_USER=name)
    assert done.returncode == 2
    assert "LOCALFN_SANDBOX_USER" in done.stderr
