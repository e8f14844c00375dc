"""Ask `localfn alive` as a probe does: about processes that work, hang, drain, and wait for their servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime, make_folder, run_runtime
from tests.support.waiting import wait_until

LOOPS = {"web", "pool", "housekeeper", "schedules", "reconciler"}
AGE_S = 900  # longer than any loop may take


@dataclass
class Server:
    """Hold a server of this file's own, which a test may stop."""

    service: Service
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.process = start(self.service)

    def stop(self) -> None:
        stop(self.service, self.process)


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Server]]:
    with make_folder() as folder, ExitStack() as stack:
        made = [Server(Postgres(folder)), Server(Redis(folder))]
        for server in made:
            server.start()
            stack.callback(server.stop)
        yield made


@pytest.fixture(scope="module")
def runtime(servers: list[Server]) -> Iterator[Runtime]:
    postgres, redis = (server.service.url for server in servers)
    with make_folder() as folder, run_runtime(postgres, redis, folder) as own:
        wait_until(lambda: records(own.home).keys() == LOOPS, what="all loops turn")
        yield own


def records(home: Path) -> dict[str, Path]:
    return {path.name.rpartition(".")[2]: path for path in (home / "run" / "alive").iterdir()}


def age(home: Path) -> None:
    """Let the last turn of each loop be long ago: a test does not wait as long as a probe does."""
    for path in records(home).values():
        recorded_at, limit = path.read_text().split()
        with path.open("r+") as file:
            file.write(f"{float(recorded_at) - AGE_S:.3f} {limit}".ljust(32))


def ask(runtime: Runtime) -> tuple[int, str]:
    """Run `localfn alive` with what a probe has: the home, and no address of a server."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "localfn_runtime", "alive"],
        env={"LOCALFN_HOME": str(runtime.home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def is_alive(runtime: Runtime) -> bool:
    return ask(runtime) == (0, "")


def test_all_processes_of_a_running_runtime_are_alive(runtime: Runtime) -> None:
    assert is_alive(runtime)


@pytest.mark.parametrize("loops", [("pool",), ("housekeeper",), ("reconciler", "schedules"), ("web",)])
def test_a_frozen_process_is_told_until_it_continues(runtime: Runtime, loops: tuple[str, ...]) -> None:
    (pid,) = {int(path.name.split(".")[-2]) for loop, path in records(runtime.home).items() if loop in loops}
    os.kill(pid, signal.SIGSTOP)
    try:
        age(runtime.home)
        expected = {f"{loop} hangs" for loop in loops}
        told = wait_until(lambda: answer if (answer := hanging(runtime)) == expected else None, 15, "the others turn")
        assert told == expected
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: is_alive(runtime), 15, "it turns again")


def hanging(runtime: Runtime) -> set[str]:
    code, line = ask(runtime)
    assert (code, line.count("\n")) == (1, 1), "one line says why"
    return {each.partition(":")[0].strip() for each in line.split(";")}


def test_an_outage_of_both_servers_ends_no_process(runtime: Runtime, servers: list[Server]) -> None:
    for server in servers:
        server.stop()
    try:
        wait_until(lambda: not runtime.can_accept(), 20, "web notices")
        age(runtime.home)
        wait_until(lambda: is_alive(runtime), 30, "all loops turn without servers")
    finally:
        for server in servers:
            server.start()
    wait_until(runtime.is_ready, 30, "it is ready again")


def test_a_draining_worker_is_alive_until_it_ends(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    request = runtime.post("wait_for_flag", {"flag": str(flag)})
    # Earlier, the worker would release it: a claimed request whose sandbox is not ready yet.
    wait_until(lambda: runtime.get(f"/api/requests/{request['id']}")["phase"] == "process", 30, "it runs")
    worker = runtime.processes.pop("worker")
    worker.terminate()
    age(runtime.home)
    wait_until(lambda: is_alive(runtime), 15, "it drains")
    assert worker.poll() is None
    flag.touch()
    assert worker.wait(30) == 0
    assert runtime.wait_ended(request["id"])["status"] == "completed"
    assert records(runtime.home).keys() == LOOPS - {"pool", "housekeeper"}
