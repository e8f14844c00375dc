"""Run a whole runtime in tests: real web, worker and scheduler processes against the test servers."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

from tests.support.fork_server.client import RuntimeProcess, start
from tests.support.openapi_client import Checking
from tests.support.waiting import wait_until
from workqueue.files.working_directory import worker_of

CASES = Path(__file__).parents[1] / "functions"
EXAMPLES = Path(__file__).parents[2] / "functions"
PROCESSES = ("web", "worker", "scheduler")
START_LIMIT_S = 60
STOP_LIMIT_S = 15


@dataclass
class Runtime:
    """Control a runtime.

    url: address of its HTTP server. env: environment for further processes. functions: folder for modules of tests.
    """

    url: str
    env: dict[str, str]
    home: Path
    functions: Path
    database_url: str
    redis_url: str
    http: httpx.Client
    log: IO[bytes]
    processes: dict[str, RuntimeProcess] = field(default_factory=dict)

    def start(self, name: str) -> RuntimeProcess:
        self.processes[name] = start([name], self.env, self.log, self.log)
        return self.processes[name]

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(STOP_LIMIT_S)

    def is_ready(self) -> bool:
        """Return whether requests are accepted, and run."""
        try:
            answer = self.http.get("/readyz?verbose")
        except httpx.TransportError:
            return False
        checks = answer.json().get("checks", {})  # only a client that is logged in gets them
        states = {check["state"] for name, check in checks.items() if name != "workers" or "worker" in self.processes}
        return answer.status_code == 200 and states <= {"ok"}

    def can_accept(self) -> bool:
        """Return whether web accepts requests."""
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def post(self, function: str, event: Any = None, **options: Any) -> dict[str, Any]:
        """Submit an event; return the accepted request."""
        answer = self.http.post(f"/api/functions/{function}", json=event, **options)
        assert answer.status_code in (200, 202), answer.text
        body: dict[str, Any] = answer.json()
        return body

    def call(self, function: str, event: Any = None, timeout_s: float = 30, **options: Any) -> dict[str, Any]:
        """Submit an event, and return the request when it has ended."""
        return self.wait_ended(self.post(function, event, **options)["id"], timeout_s)

    def result(self, function: str, event: Any = None, **options: Any) -> Any:
        """Submit an event, and return the data of the result."""
        request = self.call(function, event, **options)
        assert request["status"] == "completed", request
        return self.get(f"/api/requests/{request['id']}/result")["data"]

    def wait_ended(self, request_id: str, timeout_s: float = 30) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            request = self.get(f"/api/requests/{request_id}?wait=1")
            return request if request["status"] in ("completed", "failed") else None

        return wait_until(look, timeout_s, f"request {request_id} ends")

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def newest_ids(self) -> list[str]:
        """Return the id of the newest request, if there is one. Its other fields may still change."""
        return [item["id"] for item in self.get("/api/requests?limit=1")["items"]]

    def attempts(self, request_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(f"/api/requests/{request_id}/attempts")["items"]
        return items

    def settled_attempts(self, request_id: str) -> list[dict[str, Any]]:
        """Return the attempts when the cleanup of the last one is stored; it follows the end of the request."""

        def look() -> list[dict[str, Any]] | None:
            attempts = self.attempts(request_id)
            last = attempts[-1]["phases"][-1] if attempts[-1]["phases"] else {}
            return attempts if last.get("phase") == "cleanup" and "outcome" in last else None

        return wait_until(look, what="the cleanup is stored")

    def logs(self, request_id: str) -> list[str]:
        return self.http.get(f"/api/requests/{request_id}/logs").text.splitlines()

    def write(self, path: str, code: str) -> Path:
        """Write a file into the functions folder, atomically by a rename, as editors do."""
        target = self.functions / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        fresh.write_text(code)
        fresh.replace(target)
        return target

    def find_leftovers(self) -> list[Path]:
        """Return the working directories of idle workers.

        Busy workers may run requests of other tests, and the cleaner removes directories of workers that are gone.
        """
        idle = {worker["name"] for worker in self.get("/api/workers")["items"] if not worker["request_id"]}
        return [path for path in (self.home / "work").iterdir() if worker_of(path) in idle]

    def knows(self, function: str) -> bool:
        return self.http.get(f"/api/functions/{function}").status_code == 200


@contextmanager
def run_runtime(
    database_url: str,
    redis_url: str,
    folder: Path,
    *,
    processes: tuple[str, ...] = PROCESSES,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Runtime]:
    """Run a runtime in `folder` until the end of the block.

    settings: further environment variables.
    """
    folder.chmod(0o711)  # as root, functions run as another account, which must enter
    functions = folder / "functions"
    functions.mkdir()
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCALFN_")} | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "LOCALFN_HOME": str(folder / "home"),
        "LOCALFN_FUNCTIONS": f"{functions}:{CASES}:{EXAMPLES}",
        "PORT": str(port),
        **sandbox_user_settings(),
        **(settings or {}),
    }
    url = f"http://127.0.0.1:{port}"
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [Checking()]}
    with (folder / "log").open("wb") as log, httpx.Client(base_url=url, timeout=70, event_hooks=hooks) as http:
        runtime = Runtime(url, env, folder / "home", functions, database_url, redis_url, http, log)
        try:
            assert runtime.start("init").wait(START_LIMIT_S) == 0, (folder / "log").read_text()
            del runtime.processes["init"]
            for name in processes:
                runtime.start(name)
            wait_until(runtime.is_ready, START_LIMIT_S, "the runtime is ready")
            yield runtime
        finally:
            for process in runtime.processes.values():
                process.terminate()
            for process in runtime.processes.values():
                try:
                    process.wait(STOP_LIMIT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextmanager
def make_folder() -> Iterator[Path]:
    """Make a folder for a runtime. The account of functions cannot enter pytest's own folders."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def sandbox_user_settings() -> dict[str, str]:
    """Return settings for root with an interpreter that no other account reaches, such as one below /root."""
    folders = Path(sys.executable).resolve().parents
    is_shut = any(not folder.stat().st_mode & stat.S_IXOTH for folder in folders)
    return {"LOCALFN_SANDBOX_USER": "root"} if os.geteuid() == 0 and is_shut else {}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
