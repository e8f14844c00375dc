"""Run `localfn schedules`: its arguments, output and exit codes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.commands import localfn, run_json
from tests.support.runtime import Runtime

WORDS = ("schedules", "create", "cli", "--function", "echo", "--expression")


@pytest.fixture(autouse=True)
def _no_schedules_stay(runtime: Runtime) -> Iterator[None]:
    yield
    for item in runtime.get("/api/schedules")["items"]:
        assert runtime.http.delete(f"/api/schedules/{item['name']}").status_code == 204


def test_a_schedule_goes_through_all_commands(runtime: Runtime) -> None:
    year = datetime.now(UTC).year + 1
    made = run_json(runtime, *WORDS, "@yearly", "--data", '{"a": 1}', "--max-runs", "5", "--misfire", "all")
    assert (made["event"], made["max_runs"], made["misfire"]) == ({"a": 1}, 5, "all")
    assert made["next_run_at"] == f"{year}-01-01T00:00:00Z"

    listed = localfn(runtime, "schedules", "list")
    assert ["cli", "echo", "@yearly", "UTC"] in [line.split()[:4] for line in listed.stdout.splitlines()[1:]]
    assert made in run_json(runtime, "schedules", "list")["items"]

    changed = run_json(runtime, "schedules", "update", "cli", "--timezone", "Asia/Kathmandu", "--max-runs", "none")
    assert (changed["next_run_at"], changed["max_runs"]) == (f"{year - 1}-12-31T18:15:00Z", None)
    assert run_json(runtime, "schedules", "next", "cli", "--count", "1") == {"times": [f"{year - 1}-12-31T18:15:00Z"]}
    assert len(localfn(runtime, "schedules", "next", "cli").stdout.splitlines()) == 10
    shown = localfn(runtime, "schedules", "show", "cli").stdout
    assert "missed      one request each" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert run_json(runtime, "schedules", "show", "cli")["name"] == "cli"

    assert run_json(runtime, "schedules", "disable", "cli")["enabled"] is False
    assert "disabled" in localfn(runtime, "schedules", "list").stdout
    assert "enabled     yes" in localfn(runtime, "schedules", "enable", "cli").stdout

    ran = localfn(runtime, "schedules", "run", "cli")
    assert runtime.wait_ended(ran.stdout.strip())["schedule"] == "cli"
    assert localfn(runtime, "schedules", "delete", "cli").stdout == "cli  deleted\n"
    assert run_json(runtime, "schedules", "list") == {"items": []}


def test_a_disabled_schedule_is_created_without_a_next_time(runtime: Runtime) -> None:
    made = run_json(runtime, *WORDS, "rate(1 second)", "--disabled")
    assert (made["enabled"], made["next_run_at"]) == (False, None)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*WORDS, "61 * * * *"), 2, "expression"),
        ((*WORDS, "@daily", "--timezone", "Europe/Berlim"), 2, "Europe/Berlin"),
        ((*WORDS, "@daily", "--max-runs", "many"), 2, "--max-runs"),
        ((*WORDS, "@daily", "--misfire", "later"), 2, "skip"),
        (("schedules", "create", "cli"), 2, "function"),
        (("schedules", "update", "cli"), 2, "at least one"),
        (("schedules", "update", "nobody", "--queue", "high"), 4, "nobody"),
        (("schedules", "enable", "nobody"), 4, "nobody"),
        (("schedules", "run", "nobody"), 4, "nobody"),
        (("schedules", "next", "nobody"), 4, "nobody"),
        (("schedules", "delete", "nobody"), 4, "nobody"),
    ],
)
def test_an_error_is_one_clear_line_and_an_exit_code(
    runtime: Runtime, words: tuple[str, ...], code: int, said: str
) -> None:
    done = localfn(runtime, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_duplicate_name_is_rejected(runtime: Runtime) -> None:
    assert localfn(runtime, *WORDS, "@daily").returncode == 0
    again = localfn(runtime, *WORDS, "@daily", "--json")
    assert again.returncode == 1
    assert "already" in again.stderr
    assert json.loads(localfn(runtime, "schedules", "list", "--json").stdout)["items"][0]["name"] == "cli"


def test_without_a_runtime_the_exit_code_is_3(runtime: Runtime) -> None:
    assert localfn(runtime, "schedules", "list", PORT="1").returncode == 3
