"""Started by root, functions run as an unprivileged account: its identity, and the data it cannot access."""

import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from infra.embedded.sockets import socket_folder
from tests.conftest import StartRuntime
from tests.integration.security.sandbox.sandbox_users import NOBODY_NAMED, OTHER, needs_root, open_python
from tests.support.embedded_servers import start, stop
from tests.support.processes import children_of, read_each
from tests.support.runtime import Runtime, make_folder, run_runtime
from tests.support.waiting import wait_until
from workqueue.files.working_directory import WorkingDirectory
from workqueue.sandboxes.unix_user import UnixUser

pytestmark = needs_root
IS_SHUT = "PermissionError"


@pytest.fixture(scope="module")
def python() -> str:
    return open_python()


@pytest.fixture(scope="module")
def runtime(python: str) -> Iterator[Runtime]:
    """Yield a runtime whose home contains embedded servers, as with `localfn up`."""
    with make_folder() as folder:
        home = folder / "home"
        home.mkdir(mode=0o700)
        services: list[Service] = [Postgres(home), Redis(home)]
        processes = [start(service) for service in services]
        try:
            with run_runtime(
                services[0].url, services[1].url, folder, settings={"LOCALFN_PYTHON": python, **NOBODY_NAMED}
            ) as own:
                yield own
        finally:
            for service, process in zip(services, processes, strict=True):
                stop(service, process)


def pried(runtime: Runtime, **deeds: list[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = runtime.result("pry", deeds)
    return found


def test_functions_run_as_nobody_without_privileges_of_root(runtime: Runtime) -> None:
    found = runtime.result("tell_who", {})
    uid = found["uids"][0]
    assert uid not in {entry.pw_uid for entry in pwd.getpwall()}
    assert found["uids"] == found["gids"] == [uid] * 3
    assert found["groups"] == []
    assert found["capabilities"] == ["0" * 16] * 4
    assert (found["user"], found["home"], found["owner"]) == ("localfn", str(runtime.home / "account"), [uid])
    assert found["temporary"] == "/tmp"
    assert found["ignores_packages_at_home"] == "1", "what one function leaves there runs in no other's start"


def test_an_unforked_interpreter_runs_as_nobody_too(runtime: Runtime) -> None:
    """Start an interpreter without a fork: the function sets variables that Python reads at its start."""
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


def test_discovery_runs_as_nobody(runtime: Runtime) -> None:
    runtime.write(
        "told.py",
        "import os\nfrom localfn import function\n@function(name=f'seen_by_{os.geteuid()}')\n"
        "def told(event, context):\n    return None\n",
    )
    uid = runtime.result("tell_who", {})["uids"][0]
    wait_until(lambda: runtime.knows(f"seen_by_{uid}"), 30)


def test_uploads_output_and_cleanup_work_as_before(runtime: Runtime) -> None:
    answer = runtime.http.post("/api/functions/tell_who", files={"part": ("a.txt", b"content")})
    request = runtime.wait_ended(answer.json()["id"])
    assert request["status"] == "completed", request
    data = runtime.get(f"/api/requests/{request['id']}/result")["data"]
    assert data["read"] == {"part": "content"}
    assert set(data["owner"]) == {data["uids"][0]}
    status = runtime.http.get(f"/api/requests/{request['id']}/files/status.txt").text
    assert f"Uid:\t{data['uids'][0]}\t" in status
    runtime.settled_attempts(request["id"])
    wait_until(lambda: f"cleaned by {data['uids'][0]}" in "\n".join(runtime.logs(request["id"])))
    assert any("by its name" in line for line in runtime.logs(request["id"]))
    wait_until(
        lambda: not runtime.find_leftovers() or all(not any(path.iterdir()) for path in runtime.find_leftovers())
    )


def test_functions_cannot_access_the_home_and_its_servers(runtime: Runtime) -> None:
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


def test_functions_cannot_inspect_processes_of_the_runtime(runtime: Runtime) -> None:
    pids = [process.pid for process in runtime.processes.values()]
    pids += [child.pid for child in children_of(runtime.processes["worker"].pid)]
    ours = [pid for pid, uid in read_each(pids, lambda process: (process.pid, process.uids().effective)) if uid == 0]
    assert len(ours) > len(runtime.processes), "workers, too"
    found = pried(
        runtime, read=[f"/proc/{pid}/environ" for pid in ours], list=[f"/proc/{pid}/fd" for pid in ours], signal=ours
    )
    assert {answer for answers in found.values() for answer in answers.values()} == {IS_SHUT}


def test_functions_cannot_inspect_the_zygote(runtime: Runtime) -> None:
    uid = runtime.result("tell_who", {})["uids"][0]
    children = children_of(runtime.processes["worker"].pid, recursive=True)
    commands = read_each(children, lambda child: (child.create_time(), child, " ".join(child.cmdline())))
    # A forked sandbox has the command line of its zygote, which is the oldest process with that command line.
    forker = min((each for each in commands if "localfn.runtime.zygote" in each[2]), key=lambda each: each[0])[1]
    assert forker.uids().effective == uid
    assert pried(runtime, read=[f"/proc/{forker.pid}/environ"]) == {"read": {f"/proc/{forker.pid}/environ": IS_SHUT}}


def test_a_link_in_place_of_the_output_folder_is_not_followed(runtime: Runtime) -> None:
    with tempfile.TemporaryDirectory(dir="/root") as folder:
        secret = Path(folder) / "secret"
        secret.write_text("root's own")
        request = runtime.call("plant_a_link", {"place": ".output", "target": folder, "name": "secret"})
    assert (request["status"], request["error_type"]) == ("failed", "OutputFileMissing")
    assert request["files"] == []


def test_a_worker_follows_no_link_when_it_writes_uploads(tmp_path: Path) -> None:
    """Leave a link for the next upload, as a sandbox may that reports its directory as clean."""
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    account = UnixUser("other", OTHER, OTHER, tmp_path)
    workplace = WorkingDirectory(tmp_path / "work", "worker", account)
    workplace.prepare()
    (workplace.path / "input").symlink_to(victim)
    with pytest.raises(PermissionError), workplace.as_sandbox_user():
        (workplace.path / "input" / "x").write_text("x")
    with workplace.as_sandbox_user():
        (workplace.path / "own").write_text("x")
    assert (workplace.path / "own").stat().st_uid == OTHER
    (victim / "y").write_text("we are ourselves again")
    workplace.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim", "work"]
    assert list((tmp_path / "work").iterdir()) == []


def test_supplementary_groups_of_root_are_dropped(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    (tmp_path / "grouped").write_text("x")
    (tmp_path / "grouped").chmod(0o640)
    code = (
        "import sys, pathlib\n"
        "from workqueue.sandboxes.unix_user import UnixUser, drop_supplementary_groups, impersonate\n"
        f"drop_supplementary_groups()\nwith impersonate(UnixUser('other', {OTHER}, {OTHER}, None)):\n"
        "    pathlib.Path(sys.argv[1]).read_text()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "grouped"], capture_output=True, text=True, check=False
    )
    assert IS_SHUT in done.stderr


def test_detached_processes_end_with_their_sandbox(runtime: Runtime, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    runtime.call("lose_a_grandchild", {"pids": str(pids)})
    wait_until(lambda: not psutil.pid_exists(int(pids.read_text())), what="it is ended")


def test_sandboxes_end_with_their_pool(start_runtime: StartRuntime, python: str) -> None:
    with start_runtime(settings={"LOCALFN_PYTHON": python, **NOBODY_NAMED}) as own:
        uid = own.result("tell_uid", {})
        assert processes_of(uid) >= 2, "a warm one, and what forks them"
        pool = own.processes.pop("worker")
        pool.kill()
        pool.wait()
        wait_until(lambda: processes_of(uid) == 0, 20, "none is left")


def processes_of(uid: int) -> int:
    return sum(process.info["uids"].real == uid for process in psutil.process_iter(["uids"]) if process.info["uids"])


@pytest.mark.parametrize(
    ("name", "text"),
    [(".env", "SUPERUSER_EMAIL=a@b\n"), ("localfn.toml", '[settings]\npostgres_password = "x"\n')],
)
def test_a_readable_file_with_secrets_is_reported(runtime: Runtime, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    command = [sys.executable, "-P", "-m", "localfn_runtime", "init"]

    def said() -> str:
        done = subprocess.run(command, env=runtime.env, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stderr + done.stdout

    (tmp_path / name).chmod(0o644)
    assert "chmod 600" in said()
    (tmp_path / name).chmod(0o600)
    assert "chmod 600" not in said()
