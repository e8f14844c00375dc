"""`localfn doctor`: well is well, and what is not is named with what to do."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.commands import json_of, localfn
from tests.runtime import Runtime, free_port
from tests.waiting import wait_until


def test_doctor_finds_a_whole_runtime_well(runtime: Runtime) -> None:
    done = localfn(runtime, "doctor")

    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    assert {line.split()[1] for line in lines} >= {"web", "PostgreSQL", "Redis", "migrations", "workers", "queues"}
    assert json_of(runtime, "doctor")["ok"] is True


def test_doctor_says_what_to_do_when_nothing_runs(runtime: Runtime, tmp_path: Path) -> None:
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
    ],
)
def test_doctor_names_what_is_not_well(runtime: Runtime, environ: dict[str, str], name: str) -> None:
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
    assert "1 there, all can fire" in localfn(runtime, "doctor").stdout
    with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
        connection.execute("UPDATE schedule SET timezone = 'Mars/Olympus'")
    wait_until(lambda: runtime.get("/api/schedules/odd")["error"], what="the scheduler notices")
    done = localfn(runtime, "doctor")
    assert runtime.http.delete("/api/schedules/odd").status_code == 204
    assert done.returncode == 1
    assert "!!  schedules    odd: timezone: there is no time zone 'Mars/Olympus'" in done.stdout
