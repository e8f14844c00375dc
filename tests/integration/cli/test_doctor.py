"""Run `localfn doctor`: a healthy runtime passes, and each problem has a hint."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from infra.config.settings import load
from infra.doctor import machine
from infra.spa_assets import BaseUrls, publish_assets
from tests.support.commands import localfn, run_json
from tests.support.runtime import Runtime, free_port
from tests.support.waiting import wait_until


def test_doctor_passes_a_healthy_runtime(runtime: Runtime) -> None:
    done = localfn(runtime, "doctor")

    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    assert {line.split()[1] for line in lines} >= {
        "web",
        "files",
        "pages",
        "clock",
        "PostgreSQL",
        "Redis",
        "migrations",
        "workers",
        "queues",
    }
    assert run_json(runtime, "doctor")["ok"] is True


def test_doctor_says_how_to_start_a_runtime(runtime: Runtime, tmp_path: Path) -> None:
    port = str(free_port())
    environ = {"PORT": port, "DATABASE_URL": "", "REDIS_URL": "", "LOCALFN_HOME": str(tmp_path)}

    done = localfn(runtime, "doctor", **environ)
    as_json = localfn(runtime, "doctor", "--json", **environ)

    assert (done.returncode, as_json.returncode) == (3, 3)
    assert f"!!  web          nothing answers at http://127.0.0.1:{port}  → start it with `localfn up`" in done.stdout
    assert [check["name"] for check in json.loads(as_json.stdout)["checks"] if not check["ok"]] == ["web", "services"]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"LOCALFN_PYTHON": "/nowhere/python"}, "interpreter"),
        ({"LOCALFN_FUNCTIONS": "/nowhere/functions"}, "folders"),
        ({"LOCALFN_HOME": "/dev/null/home"}, "home"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "Redis"),
        ({"DATABASE_URL": "postgresql://postgres:secret@127.0.0.1:1/none"}, "PostgreSQL"),
        ({"LOCALFN_NO_SUCH": "1"}, "settings"),
        ({"LOCALFN_FILES": "s3://bucket/x", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "files"),
    ],
)
def test_doctor_names_each_problem(runtime: Runtime, environ: dict[str, str], name: str) -> None:
    done = localfn(runtime, "doctor", **environ)

    assert done.returncode in (1, 3)
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("!!")] == [name]
    assert "secret" not in done.stdout


def test_doctor_finds_a_database_that_is_not_migrated(runtime: Runtime, empty_database_url: str) -> None:
    done = localfn(runtime, "doctor", DATABASE_URL=empty_database_url)

    assert done.returncode == 1
    assert "!!  migrations   the schema is not the one of this version  → migrate it with `localfn init`" in done.stdout


def test_doctor_names_a_schedule_that_cannot_fire(runtime: Runtime) -> None:
    body = {"name": "odd", "function": "echo", "expression": "@yearly"}
    assert runtime.http.post("/api/schedules", json=body).status_code == 201
    count = len(runtime.get("/api/schedules")["items"])  # other tests may have left schedules
    assert f"{count} there, all can fire" in localfn(runtime, "doctor").stdout
    with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
        connection.execute("UPDATE schedule SET timezone = 'Mars/Olympus' WHERE name = 'odd'")
    wait_until(lambda: runtime.get("/api/schedules/odd")["error"], what="the scheduler notices")
    done = localfn(runtime, "doctor")
    assert runtime.http.delete("/api/schedules/odd").status_code == 204
    assert done.returncode == 1
    assert "!!  schedules    odd: timezone: there is no time zone 'Mars/Olympus'" in done.stdout


@pytest.mark.parametrize(("apart_s", "words"), [(-90, "90 s behind"), (90, "90 s ahead of")])
def test_a_wrong_clock_is_reported_with_its_direction(apart_s: float, words: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = machine.clocks(now, now + timedelta(seconds=apart_s))
    assert not found.ok
    assert words in found.detail
    assert machine.clocks(now, now + timedelta(seconds=1)).ok


def test_pages_built_for_another_base_url_are_reported(tmp_path: Path) -> None:
    build = tmp_path / "dist"
    build.mkdir()
    (build / "index.html").write_text("VITE_APP_API_ROOT_PLACEHOLDER")
    settings = load({"LOCALFN_HOME": str(tmp_path)}, tmp_path)
    assert machine.pages(settings).ok
    publish_assets(tmp_path, BaseUrls("", "/other"), build, compress=False)
    assert not machine.pages(settings).ok
    publish_assets(tmp_path, BaseUrls("", "/api"), build, compress=False)
    assert machine.pages(settings).detail == "at /, with the API at /api"
