"""Started by root, functions run as an account that has nothing: what it is, and what it cannot get at."""

import contextlib
import json
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra import sandbox_account, sdk
from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from infra.embedded.sockets import socket_folder
from infra.settings import load
from tests.commands import localfn
from tests.conftest import Servers, fresh_database
from tests.embedded_servers import start, stop
from tests.runtime import Runtime, running
from tests.waiting import wait_until
from workqueue.account import Account
from workqueue.interpreter import Interpreter
from workqueue.sandbox import Frame, Output, Sandbox
from workqueue.workplace import Workplace

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run functions as somebody else, and on Linux"
)
OTHER = 60_706
IS_SHUT = "PermissionError"
NOBODY_NAMED = {"LOCALFN_SANDBOX_USER": ""}  # whatever other tests need on this machine


def is_open(python: str) -> bool:
    """Whether another account can run it, and import the SDK."""
    ask = [python, "-c", "import sys, localfn; assert sys.version_info >= (3, 9)"]
    variables = {"PYTHONPATH": str(sdk.source().parent)}
    try:
        identity: dict[str, Any] = {"user": OTHER, "group": OTHER, "extra_groups": []}
        return subprocess.run(ask, env=variables, cwd="/", capture_output=True, check=False, **identity).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that is not below a folder of root's."""
    found = next(filter(is_open, (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3")), None)
    return found or pytest.skip("no interpreter here, or not this code, can be reached by another account")


@pytest.fixture(scope="module")
def runtime(python: str) -> Iterator[Runtime]:
    """A runtime whose home has embedded servers in it, as that of `localfn up` has."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as place:
        folder = Path(place).resolve()
        home = folder / "home"
        home.mkdir(mode=0o700)
        services: list[Service] = [Postgres(home), Redis(home)]
        processes = [start(service) for service in services]
        try:
            with running(
                services[0].url, services[1].url, folder, settings={"LOCALFN_PYTHON": python, **NOBODY_NAMED}
            ) as own:
                yield own
        finally:
            for service, process in zip(services, processes, strict=True):
                stop(service, process)


def pried(runtime: Runtime, **deeds: list[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = runtime.result("pry", deeds)
    return found


def test_they_are_nobody_and_keep_nothing_of_root(runtime: Runtime) -> None:
    found = runtime.result("tell_who", {})
    uid = found["uids"][0]
    assert uid not in {entry.pw_uid for entry in pwd.getpwall()}
    assert found["uids"] == found["gids"] == [uid] * 3
    assert found["groups"] == []
    assert found["capabilities"] == ["0" * 16] * 4
    assert (found["user"], found["home"], found["owner"]) == ("localfn", str(runtime.home / "account"), [uid])
    assert found["temporary"] == "/tmp"
    assert found["ignores_packages_at_home"] == "1", "what one function leaves there runs in no other's start"


def test_a_started_interpreter_is_nobody_too(runtime: Runtime) -> None:
    """What sets variables that an interpreter reads when it starts is not forked."""
    runtime.write(
        "started_anew.py",
        "import os\nfrom localfn import function\nAT_IMPORT = os.getresuid()\n"
        "@function(environment={'PYTHONHASHSEED': '1'})\n"
        "def started_anew(event, context):\n    return [AT_IMPORT, os.getresuid(), os.getgroups()]\n",
    )
    wait_until(lambda: runtime.knows("started_anew"), 30)
    at_import, running_as, groups = runtime.result("started_anew", {})
    assert at_import == running_as == runtime.result("tell_who", {})["uids"]
    assert groups == []


def test_discovery_imports_as_nobody(runtime: Runtime) -> None:
    runtime.write(
        "told.py",
        "import os\nfrom localfn import function\n@function(name=f'seen_by_{os.geteuid()}')\n"
        "def told(event, context):\n    return None\n",
    )
    uid = runtime.result("tell_who", {})["uids"][0]
    wait_until(lambda: runtime.knows(f"seen_by_{uid}"), 30)


def test_uploads_output_and_cleanup_work_as_before(runtime: Runtime) -> None:
    answer = runtime.http.post("/api/functions/tell_who", files={"part": ("a.txt", b"content")})
    request = runtime.ended(answer.json()["id"])
    assert request["status"] == "completed", request
    data = runtime.get(f"/api/requests/{request['id']}/result")["data"]
    assert data["read"] == {"part": "content"}
    assert set(data["owner"]) == {data["uids"][0]}
    status = runtime.http.get(f"/api/requests/{request['id']}/files/status.txt").text
    assert f"Uid:\t{data['uids'][0]}\t" in status
    runtime.settled_attempts(request["id"])
    wait_until(lambda: f"cleaned by {data['uids'][0]}" in "\n".join(runtime.logs(request["id"])))
    assert any("by its name" in line for line in runtime.logs(request["id"]))
    wait_until(lambda: not runtime.left_behind() or all(not any(path.iterdir()) for path in runtime.left_behind()))


def test_the_home_and_its_servers_are_shut(runtime: Runtime) -> None:
    home, sockets = runtime.home, socket_folder(runtime.home)
    folders = [path for path in home.iterdir() if path.is_dir() and path.name not in ("account", "work", "sdk")]
    assert {"files", "run", "postgres", "redis"} <= {path.name for path in folders}
    files = [home / "postgres" / "password", home / "postgres" / "data" / "PG_VERSION", *(home / "redis").iterdir()]
    places = [*folders, home, home / "work"]
    found = pried(
        runtime,
        read=[str(path) for path in files],
        list=[str(path) for path in places],
        write=[str(path) for path in places],
        connect=[str(sockets / ".s.PGSQL.5432"), str(sockets / "redis.sock")],
    )
    assert {answer for answers in found.values() for answer in answers.values()} == {IS_SHUT}


def test_the_processes_of_the_runtime_are_shut(runtime: Runtime) -> None:
    pids = [process.pid for process in runtime.processes.values()]
    pids += [child.pid for child in psutil.Process(runtime.processes["worker"].pid).children()]
    ours = [pid for pid in pids if psutil.Process(pid).uids().effective == 0]
    assert len(ours) > len(runtime.processes), "workers, too"
    found = pried(
        runtime, read=[f"/proc/{pid}/environ" for pid in ours], list=[f"/proc/{pid}/fd" for pid in ours], signal=ours
    )
    assert {answer for answers in found.values() for answer in answers.values()} == {IS_SHUT}


def test_what_forks_sandboxes_can_be_looked_into_by_none(runtime: Runtime) -> None:
    uid = runtime.result("tell_who", {})["uids"][0]
    children = psutil.Process(runtime.processes["worker"].pid).children()
    # A sandbox forked off it has its command line; whoever is older is the one that forks.
    forker = min(
        (child for child in children if "localfn.zygote" in " ".join(child.cmdline())),
        key=lambda child: child.create_time(),
    )
    assert forker.uids().effective == uid
    assert pried(runtime, read=[f"/proc/{forker.pid}/environ"]) == {"read": {f"/proc/{forker.pid}/environ": IS_SHUT}}


def test_a_link_in_place_of_the_output_folder_leads_nowhere(runtime: Runtime) -> None:
    with tempfile.TemporaryDirectory(dir="/root") as folder:
        secret = Path(folder) / "secret"
        secret.write_text("root's own")
        request = runtime.call("plant_a_link", {"place": ".output", "target": folder, "name": "secret"})
    assert (request["status"], request["error_type"]) == ("failed", "OutputFileMissing")
    assert request["files"] == []


def test_what_a_worker_puts_into_the_directory_follows_no_link_either(tmp_path: Path) -> None:
    """A sandbox that calls its directory clean may have left one for the next request's upload."""
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    account = Account("other", OTHER, OTHER, tmp_path)
    workplace = Workplace(tmp_path / "work", "worker", account)
    workplace.prepare()
    (workplace.path / "input").symlink_to(victim)
    with pytest.raises(PermissionError), workplace.acting():
        (workplace.path / "input" / "x").write_text("x")
    with workplace.acting():
        (workplace.path / "own").write_text("x")
    assert (workplace.path / "own").stat().st_uid == OTHER
    (victim / "y").write_text("we are ourselves again")
    workplace.put_away()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim", "work"]
    assert list((tmp_path / "work").iterdir()) == []


def test_no_group_of_root_opens_a_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    (tmp_path / "grouped").write_text("x")
    (tmp_path / "grouped").chmod(0o640)
    code = (
        "import sys, pathlib\nfrom workqueue.account import Account, acting, leave_groups\n"
        f"leave_groups()\nwith acting(Account('other', {OTHER}, {OTHER}, None)):\n"
        "    pathlib.Path(sys.argv[1]).read_text()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "grouped"], capture_output=True, text=True, check=False
    )
    assert IS_SHUT in done.stderr


def test_what_left_the_sandbox_is_ended_with_it(runtime: Runtime, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    runtime.call("lose_a_grandchild", {"pids": str(pids)})
    wait_until(lambda: not psutil.pid_exists(int(pids.read_text())), what="it is ended")


def test_strays_are_found_by_a_root_that_may_not_trace_others(python: str) -> None:
    """Containers take CAP_SYS_PTRACE from root, and with it the view of other accounts' variables."""
    code = (
        "import subprocess, sys\nfrom workqueue import process_tree\nfrom workqueue.account import leave_groups\n"
        "leave_groups()\n"
        f"one = [{python!r}, '-c', 'print(flush=True); import time; time.sleep(60)']\n"
        f"stray = subprocess.Popen(one, env={{process_tree.TAG: 'mine'}}, user={OTHER}, group={OTHER}, "
        "extra_groups=[], stdout=subprocess.PIPE)\n"
        "stray.stdout.readline()\n"
        "try:\n    open(f'/proc/{stray.pid}/environ').read()\n    print('no test: it may trace')\n"
        "except PermissionError:\n    process_tree.end_tagged('mine')\n    print(stray.wait(10))\n"
    )
    without = "-sys_ptrace,-sys_admin,-perfmon"  # the other two are as good to newer kernels
    limited = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", sys.executable, "-c", code]
    done = subprocess.run(limited, capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.strip() == "-9", done.stderr


def test_where_the_account_cannot_leave_the_network_root_takes_it_away(python: str, tmp_path: Path) -> None:
    account = Account("other", OTHER, OTHER, tmp_path, parts_network=False)
    interpreter = Interpreter(python, sdk.source().parent, {}, 1 << 20, account)
    (tmp_path / "alone.py").write_text(
        "import socket\nfrom localfn import function\nAT_IMPORT = socket.if_nameindex()\n"
        "@function(network=False)\ndef alone(event, context):\n    return None\nprint(AT_IMPORT)\n"
    )
    load = {"type": "load", "root": str(tmp_path), "module": "alone", "function": "alone", "network": False}
    child = interpreter.start(load, {})
    sandbox = Sandbox(child.loan(), [os.dup(fd) for fd in child.fds], 1 << 20)
    try:
        news = [wait_until(lambda: sandbox.next(0.1), what="it speaks")]
        while not isinstance(news[-1], Frame) or news[-1].type == "started":
            news.append(wait_until(lambda: sandbox.next(0.1), what="it is ready"))
        assert news[-1].type == "ready", news[-1].head
        assert b"[(1, 'lo')]" in b"".join(item.data for item in news if isinstance(item, Output))
        assert len(socket.if_nameindex()) > 1, "we are where we were"
    finally:
        sandbox.close()
        child.end()


@contextlib.contextmanager
def own_runtime(servers: Servers, migrated: str, **settings: str) -> Iterator[Runtime]:
    with (
        tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        contextlib.contextmanager(fresh_database)(servers, migrated) as url,
        running(url, servers.redis_url + "?db=7", Path(folder).resolve(), settings=NOBODY_NAMED | settings) as own,
    ):
        yield own


def test_an_account_that_is_named_runs_them(servers: Servers, migrated: str, python: str) -> None:
    with own_runtime(servers, migrated, LOCALFN_SANDBOX_USER="nobody", LOCALFN_PYTHON=python) as own:
        found = own.result("tell_who", {})
        assert (found["user"], found["uids"][0]) == ("nobody", pwd.getpwnam("nobody").pw_uid)
        checks = json.loads(localfn(own, "doctor", "--json").stdout)["checks"]
        shown = next(check for check in checks if check["name"] == "account")
        assert shown["ok"]
        assert shown["detail"].startswith("functions run as nobody (uid ")


def test_they_end_with_their_pool_however_it_ends(servers: Servers, migrated: str, python: str) -> None:
    with own_runtime(servers, migrated, LOCALFN_PYTHON=python) as own:
        uid = own.result("tell_uid", {})
        assert processes_of(uid) >= 2, "a warm one, and what forks them"
        pool = own.processes.pop("worker")
        pool.kill()
        pool.wait()
        wait_until(lambda: processes_of(uid) == 0, 20, "none is left")


def processes_of(uid: int) -> int:
    return sum(process.info["uids"].real == uid for process in psutil.process_iter(["uids"]) if process.info["uids"])


def test_root_runs_them_when_told_so(servers: Servers, migrated: str) -> None:
    with own_runtime(servers, migrated, LOCALFN_SANDBOX_USER="root") as own:
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
    servers: Servers, migrated: str, out_of_reach: Path, python: str
) -> None:
    with own_runtime(servers, migrated, LOCALFN_FUNCTIONS=str(out_of_reach), LOCALFN_PYTHON=python) as own:
        assert own.result("far", {}) == 0
        log = (own.home.parent / "log").read_text()
        assert "functions run as root: localfn (uid " in log
        assert f"has no access to /root, where LOCALFN_FUNCTIONS {out_of_reach}/far.py lies" in log
        assert "LOCALFN_SANDBOX_USER" in log


def test_an_interpreter_that_is_broken_is_no_reason_for_root(runtime: Runtime, tmp_path: Path) -> None:
    """Once it is mended, whoever was decided on at the start runs it."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    found = sandbox_account.find(replace(load(runtime.env), python=str(broken)))
    assert found.account is not None
    assert found.problem == ""


def test_a_root_of_nobody_else_says_so(runtime: Runtime) -> None:
    """As in containers without root of the machine: there is no other account in its namespace."""
    inside = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespace of users can be made here")
    code = "from infra.settings import load; from infra.sandbox_account import find; print(find(load()))"
    done = subprocess.run(
        [*inside, sys.executable, "-c", code], env=runtime.env, capture_output=True, text=True, check=False
    )
    assert "this root cannot become localfn (uid " in done.stdout, done.stderr


@pytest.mark.parametrize("settings", [{"LOCALFN_ENV": "production"}, {"LOCALFN_SANDBOX_USER": "nobody"}])
def test_it_is_refused_in_production_and_when_somebody_was_named(
    runtime: Runtime, out_of_reach: Path, settings: dict[str, str]
) -> None:
    done = localfn(runtime, "worker", **settings, LOCALFN_FUNCTIONS=str(out_of_reach))
    assert done.returncode == 1
    assert done.stderr.strip().startswith("localfn: functions would run as root: ")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["no-such-account", "-1", "4294967295"])
def test_an_account_that_there_is_not_is_refused(runtime: Runtime, name: str) -> None:
    done = localfn(runtime, "worker", LOCALFN_SANDBOX_USER=name)
    assert done.returncode == 2
    assert "LOCALFN_SANDBOX_USER" in done.stderr


def test_what_can_be_read_of_dotenv_is_told(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SUPERUSER_EMAIL=a@b\n")
    command = [sys.executable, "-P", "-m", "infra.cli", "init"]

    def said() -> str:
        done = subprocess.run(command, env=runtime.env, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stderr + done.stdout

    (tmp_path / ".env").chmod(0o644)
    assert "chmod 600" in said()
    (tmp_path / ".env").chmod(0o600)
    assert "chmod 600" not in said()
