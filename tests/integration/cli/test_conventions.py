"""Check the conventions of the command line: short ids, pipes, other runtimes, times with a zone."""

import re
import signal
import subprocess
from uuid import UUID

import pytest

from infra.api_client import first_id_after
from schema.revision import head_revision
from tests.support.commands import COMMAND, NOWHERE, list_ids, localfn, localfn_process, run_json, running_command
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{3})?\+05:30"


def test_a_unique_prefix_of_an_id_is_enough(runtime: Runtime) -> None:
    id = runtime.call("echo", {"n": 1})["id"]
    for typed in (id, id[:-1], id[:30], id[:30].upper(), id.replace("-", "")[:28]):
        assert run_json(runtime, "requests", "show", typed)["id"] == id
    assert localfn(runtime, "requests", "delete", id[:-1]).stdout == f"{id}  deleted\n"


@pytest.mark.parametrize("length", range(6, 32))
def test_the_id_after_a_prefix_is_its_upper_bound(length: int) -> None:
    for last in "0f":
        id = UUID("01a22df3147475ebbc647f90e507ae2" + last)
        beginning = id.hex[:length]
        assert id < first_id_after(beginning)
        assert not UUID(int=first_id_after(beginning).int).hex.startswith(beginning)


def test_an_ambiguous_prefix_lists_its_matches(runtime: Runtime) -> None:
    answer = runtime.http.post("/api/functions/echo/batch", json=[1, 2, 3])
    ids = answer.json()["ids"]
    done = localfn(runtime, "requests", "show", ids[0][:10])
    assert done.returncode == 2
    assert all(id in done.stderr for id in ids)


@pytest.mark.parametrize(
    ("typed", "code", "words"), [(NOWHERE[:-1], 4, "no request"), ("01a", 2, "at least 6"), ("no id", 4, "")]
)
def test_a_prefix_without_a_match_is_an_error(runtime: Runtime, typed: str, code: int, words: str) -> None:
    done = localfn(runtime, "requests", "show", typed)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_columns_are_not_truncated_in_a_pipe(runtime: Runtime) -> None:
    name = "f" * 60
    runtime.write(
        f"{name}.py", f"from localfn import function\n@function\ndef {name}(e, c): raise ValueError('m' * 300)\n"
    )
    wait_until(lambda: runtime.knows(name), 10)
    id = runtime.call(name)["id"]
    line = next(line for line in localfn(runtime, "requests", "list").stdout.splitlines() if line.startswith(id))
    assert name in line
    assert "m" * 300 in line


def test_every_time_names_the_same_zone(runtime: Runtime) -> None:
    id = runtime.call("talk", {})["id"]
    runtime.http.post("/api/schedules", json={"name": "zoned", "function": "echo", "expression": "0 3 * * *"})
    for words in (
        ("requests", "show", id),
        ("requests", "logs", id),
        ("schedules", "next", "zoned"),
        ("schedules", "show", "zoned"),
    ):
        shown = localfn_process(runtime, *words, TZ="Asia/Kolkata").stdout
        found = re.findall(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d\S*", shown)
        assert found, words
        assert all(re.fullmatch(TIME, time) for time in found), found
    runtime.http.delete("/api/schedules/zoned")


def test_a_watched_list_shows_new_requests(runtime: Runtime) -> None:
    with running_command(runtime, "requests", "list", "--function", "echo", "--limit", "5", "--watch") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("ID ")
        id = runtime.call("echo")["id"]
        lines = iter(watching.stdout.readline, "")
        assert next(line for line in lines if line.startswith(id))
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130


def test_localfn_url_selects_another_runtime(runtime: Runtime) -> None:
    id = runtime.call("echo")["id"]
    elsewhere = {"LOCALFN_URL": runtime.url + "/", "PORT": "1"}
    assert id in localfn(runtime, "requests", "list", "--function", "echo", **elsewhere).stdout
    for words in (("users", "list"), ("db", "check"), ("seed",)):
        done = localfn(runtime, *words, **elsewhere)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"LOCALFN_URL is {runtime.url}" in done.stderr
    doctor = localfn(runtime, "doctor", **elsewhere)
    assert (doctor.returncode, "run doctor on that machine" in doctor.stdout) == (0, True), doctor.stdout
    assert list_ids(runtime, "echo")


def test_hints_name_the_command_that_was_typed(runtime: Runtime) -> None:
    done = localfn(runtime, "functions", "invoke", "echo", LOCALFN_CALLED_AS="./dev")
    assert f"./dev requests logs -f {done.stdout.strip()}" in done.stderr
    assert "./dev up" in localfn(runtime, "workers", "list", PORT="1", LOCALFN_CALLED_AS="./dev").stderr


def test_version_and_exit_codes_are_printed(runtime: Runtime) -> None:
    first, schema = localfn(runtime, "version").stdout.splitlines()
    assert localfn(runtime, "--version").stdout == f"{first}\n"
    assert schema == f"schema revision {head_revision()}"
    assert run_json(runtime, "version") == {"version": first.split()[1], "schema_revision": head_revision()}
    assert "124 waited too long" in " ".join(localfn(runtime, "--help").stdout.split())


def test_a_superuser_needs_a_valid_password(runtime: Runtime) -> None:
    done = localfn(runtime, "users", "create-superuser", "ada", stdin="short\n")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "password is not valid: 8 to 1024 characters are needed" in done.stderr
    assert localfn(runtime, "users", "create-superuser", "ada", stdin="long enough to be one\n").returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_commands_work_with_closed_streams(runtime: Runtime, closed: str) -> None:
    for words in (["version"], ["requests", "list"], ["requests", "show", NOWHERE]):
        command = ["sh", "-c", f'"$@" {closed}', "sh", *COMMAND, *words]
        done = subprocess.run(command, env=runtime.env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == (4 if NOWHERE in words else 0), done.stderr
        assert "Traceback" not in done.stderr
