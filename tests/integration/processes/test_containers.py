"""Run the containers' processes natively: entrypoint and start scripts, against real servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from psycopg import sql
from sqlalchemy import Engine, make_url, text

import infra
from tests.conftest import Servers
from tests.integration.lifecycle.steps import accept_request, claim_request
from tests.support.kubernetes.manifests import KEDA, of_kind, render
from tests.support.runtime import EXAMPLES, free_port
from tests.support.waiting import wait_until
from workqueue.sandboxes.prctl import die_with_parent

ROOT = Path(infra.__file__).parent.parent
PAGE = '<base href="/VITE_APP_STATIC_ROOT_PLACEHOLDER/"><link href="VITE_APP_API_ROOT_PLACEHOLDER">'
ROLE = "the hostile"
HOSTILE_PASSWORD = """p@:/%'" $x`y\\z&|#?é"""


class ContainerImage:
    """Copy the contents of the image, and run its containers as processes."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.app = folder / "app"
        self.app.mkdir()
        for name in ("infra", "handlers", "schema", "seed", "queue"):
            subprocess.run(["cp", "-a", str(ROOT / name), str(self.app)], check=True)
        (self.app / "spa" / "dist").mkdir(parents=True)
        (self.app / "spa" / "dist" / "index.html").write_text(PAGE)
        self.port = free_port()
        url = make_url(database_url)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOCALFN_", "POSTGRES_"))}
        self.env = clean | {
            "PATH": f"{self.app}/infra/docker:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.app}:{self.app}/queue",
            "POSTGRES_HOST": str(url.query["host"]),
            "POSTGRES_DB": str(url.database),
            "POSTGRES_USER": ROLE,
            "POSTGRES_PASSWORD": HOSTILE_PASSWORD,
            "REDIS_URL": redis_url,
            "LOCALFN_HOME": str(folder / "data"),
            "LOCALFN_FUNCTIONS": str(EXAMPLES),
            # The image has no root; a test may run as root, in a folder that other accounts cannot enter.
            **({"LOCALFN_SANDBOX_USER": "root"} if os.geteuid() == 0 else {}),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "LOCALFN_CONCURRENCY": "2",
            "LOCALFN_WAIT_SECONDS": "10",
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *command: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["entrypoint", *command],
            env=self.env | environ,
            cwd=self.app,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # However the test run ends, by SIGKILL too, the processes end.
            preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - it only makes a system call
        )
        self.started.append(process)
        return process

    def run(self, *command: str, **environ: str) -> str:
        process = self.start(*command, **environ)
        out, _ = process.communicate(timeout=90)
        assert process.returncode == 0, out
        return out

    def page(self) -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/")
        except httpx.TransportError:
            return None

    def wait(self) -> httpx.Response:
        return wait_until(self.page, 120, "web answers")


@pytest.fixture
def image(tmp_path: Path, servers: Servers, empty_database_url: str, redis_url: str) -> Iterator[ContainerImage]:
    """Yield an image whose database requires a password, which the server checks."""
    role = sql.Identifier(ROLE)
    servers.execute(
        sql.SQL("DO $$ BEGIN CREATE ROLE {} SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN END $$").format(role)
    )
    servers.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(HOSTILE_PASSWORD)))
    made = ContainerImage(tmp_path, empty_database_url, redis_url)
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_the_entrypoint_escapes_every_character_of_the_password_and_names_rqs_redis(image: ContainerImage) -> None:
    code = (
        "import os, psycopg.conninfo as c; "
        "found = c.conninfo_to_dict(os.environ['DATABASE_URL']); "
        "print(ascii((found['password'], os.environ['RQ_REDIS_URL'])))"
    )
    assert image.run("python", "-c", code).splitlines()[-1] == ascii((HOSTILE_PASSWORD, image.env["REDIS_URL"]))


def test_the_entrypoint_execs_the_command_with_unchanged_arguments(image: ContainerImage) -> None:
    out = image.run("sh", "-c", 'printf "%s|" "$$" "$@"', "sh", "a  b", "$HOME", "*")
    pid, *words, _ = out.splitlines()[-1].split("|")
    assert int(pid) == image.started[-1].pid
    assert words == ["a  b", "$HOME", "*"]


def test_one_image_serves_two_environments_and_a_stop_reaches_the_server(image: ContainerImage) -> None:
    for static_root, api_root in (("/", "/api"), ("/tools/it's/", "https://api.example.org/a&b")):
        environ = {"VITE_APP_STATIC_ROOT": static_root, "VITE_APP_API_ROOT": api_root, "LOCALFN_ENV": "production"}
        web = image.start("start", **environ)
        page = image.wait().text
        safe = static_root.replace("'", "%27"), api_root.replace("&", "&amp;")
        assert page == f'<base href="{safe[0]}"><link href="{safe[1]}">'
        assert b"web" in Path(f"/proc/{web.pid}/cmdline").read_bytes() or sys.platform != "linux"
        web.send_signal(signal.SIGTERM)
        out, _ = web.communicate(timeout=15)
        assert web.returncode == 0, out
    assert (image.app / "spa" / "dist" / "index.html").read_text() == PAGE


@pytest.mark.parametrize("value", ["javascript:alert(1)", "//elsewhere", "not a path", "/a\nb"])
def test_an_invalid_url_stops_the_start(image: ContainerImage, value: str) -> None:
    process = image.start("start", VITE_APP_API_ROOT=value)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "localfn: VITE_APP_API_ROOT" in out


def test_local_starts_flasks_server_with_its_debugger_on_loopback_only(image: ContainerImage) -> None:
    web = image.start("start")
    image.wait()
    assert b"--development" in Path(f"/proc/{web.pid}/cmdline").read_bytes() or sys.platform != "linux"
    debugger = httpx.get(f"http://127.0.0.1:{image.port}/?__debugger__=yes&cmd=resource&f=debugger.js")
    assert "debugger" in debugger.text.lower()
    touched = image.app / "handlers" / "system" / "health.py"
    touched.write_text(touched.read_text().replace('jsonify(status="ok")', 'jsonify(status="reloaded")', 1))

    def reloaded() -> bool:
        try:
            return "reloaded" in httpx.get(f"http://127.0.0.1:{image.port}/healthz").text
        except httpx.TransportError:
            return False

    wait_until(reloaded, 60, "the changed handler answers")
    web.send_signal(signal.SIGTERM)
    web.communicate(timeout=15)
    assert web.returncode == 0


@pytest.mark.parametrize("environ", [{"HOST": "0.0.0.0", "LOCALFN_INSECURE": "1"}, {"LOCALFN_ENV": "production"}])
def test_the_debugger_is_rejected_beyond_loopback_and_in_production(
    image: ContainerImage, environ: dict[str, str]
) -> None:
    process = image.start("localfn", "web", "--development", **environ)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "its debugger executes input" in out
    web = image.start("start", **environ)
    image.wait()
    assert b"--development" not in Path(f"/proc/{web.pid}/cmdline").read_bytes() or sys.platform != "linux"


def test_worker_and_scheduler_start_alone_and_stop_on_sigterm(image: ContainerImage) -> None:
    started = [image.start("start-worker"), image.start("start-scheduler"), image.start("start")]
    url = f"http://127.0.0.1:{image.port}"
    image.wait()

    def is_done() -> bool:
        found = httpx.get(f"{url}/api/requests").json()["items"]
        return len(found) == 2 and all(item["status"] in ("completed", "failed") for item in found)

    wait_until(is_done, 90, "the demo requests of the fixtures have run")
    for process in started:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0, out


def test_a_container_ends_as_its_preparation_does(image: ContainerImage) -> None:
    process = image.start("start-worker", SUPERUSER_USERNAME="admin", SUPERUSER_PASSWORD="weak")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2, out
    assert [line for line in out.splitlines() if line.startswith("localfn:")] == [
        "localfn: SUPERUSER_PASSWORD is too weak; 8 to 1024 characters are needed."
    ]


def test_sigterm_ends_a_container_that_waits_for_its_servers(image: ContainerImage) -> None:
    process = image.start("start-scheduler", REDIS_URL="redis://127.0.0.1:9/0")
    assert process.stdout is not None
    wait_until(lambda: "waiting for Redis" in process.stdout.readline(), 60, "it waits")  # type: ignore[union-attr]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


def test_workers_are_scaled_by_waiting_and_running_requests(engine: Engine) -> None:
    (scaled,) = of_kind(render(KEDA), "ScaledObject")
    query = text(scaled["spec"]["triggers"][0]["metadata"]["query"])
    running, *_ = [accept_request(engine) for _ in range(3)]
    accept_request(engine, available_s=10 * 365 * 24 * 3600)
    claim_request(engine, running)
    with engine.begin() as connection:
        assert connection.execute(query).scalar_one() == 3, "one runs, two wait, one is not due"
        connection.execute(text("INSERT INTO paused_queue SELECT DISTINCT queue, now() FROM processing_request"))
        assert connection.execute(query).scalar_one() == 1, "a paused queue needs no pod"
