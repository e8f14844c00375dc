"""Run `localfn up` with a localfn.toml: each process and each command gets its settings, and functions their limits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from localfn.runtime.confinement import MIB, fence_mb
from tests.e2e.conftest import Start
from tests.support.up import Up, without_runtime_settings

SETTINGS = """
[settings]
queues = ["default", "urgent"]
max_event_bytes = 100
lease_seconds = 7.5
superuser_username = "ada"
superuser_password = "correct horse battery"
"""
LIMITS = """
[functions]
nap = {timeout_s = 0.5}
memory = {memory_mb = 1024, queue = "urgent"}
"""
MEMORY = """
import resource
from localfn import function

@function(memory_mb=64)
def memory(event, context):
    return resource.getrlimit(resource.RLIMIT_DATA)[0]
"""


@pytest.fixture
def folder(short_tmp_path: Path) -> Path:
    """Return the folder in which `start` starts `localfn up`."""
    made = short_tmp_path / "one"
    made.mkdir()
    return made


def command(up: Up, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "localfn_runtime", *words],
        cwd=folder,
        env=without_runtime_settings() | {"LOCALFN_HOME": str(up.home)},
        capture_output=True,
        text=True,
        check=False,
    )


def read_json(up: Up, folder: Path, *words: str) -> Any:
    done = command(up, folder, *words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def result(up: Up, function: str, event: object) -> Any:
    return up.submit(function, event, Prefer="wait=30")


def test_each_process_and_command_reads_the_file(start: Start, folder: Path) -> None:
    (folder / "localfn.toml").write_text(SETTINGS + LIMITS)
    (folder / "functions").mkdir()
    (folder / "functions" / "memory.py").write_text(MEMORY)
    up = start()
    up.wait_ready()

    with pytest.raises(httpx.HTTPStatusError) as rejected:
        up.submit("echo", "x" * 200)
    assert rejected.value.response.status_code == 413
    assert read_json(up, folder, "workers", "list")["items"][0]["queues"] == ["default", "urgent"]
    assert [user["username"] for user in read_json(up, folder, "users", "list")["items"]] == ["ada"]
    for name in ("LOCALFN_QUEUES", "SUPERUSER_PASSWORD"):
        assert result(up, "variable", name)["result"] is None
    said = [check["detail"] for check in read_json(up, folder, "doctor")["checks"] if check["name"] == "settings"]
    keys = "max_event_bytes, queues, lease_seconds, superuser_username, superuser_password"
    assert said[1:] == ["from the environment: LOCALFN_HOME", f"from localfn.toml: {keys}"]

    assert result(up, "nap", 30)["error_type"] == "TimedOut"
    shown = up.ask("/api/functions/memory")
    assert (shown["memory_mb"], shown["queue"]) == (1024, "urgent")
    assert result(up, "memory", {})["result"] == fence_mb(1024) * MIB

    (folder / "localfn.toml").write_text(f"{SETTINGS}[settings.prot]\n")
    for words in (("functions", "list"), ("init",), ("worker",), ("web",), ("scheduler",), ("db", "url")):
        done = command(up, folder, *words)
        line = f"localfn: {folder}/localfn.toml:8: prot is unknown; did you mean port?\n"
        assert (done.returncode, done.stderr) == (2, line), words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[settings]\nprot = 1\n", "2: prot is unknown; did you mean port?"),
        ("[functions.echo]\ntimeout = 1\n", "2: timeout is not a limit of a function; did you mean timeout_s?"),
    ],
)
def test_a_mistake_stops_up_before_it_starts_anything(start: Start, folder: Path, text: str, reason: str) -> None:
    (folder / "localfn.toml").write_text(text)
    up = start()
    _, errors = up.process.communicate(timeout=60)
    assert (up.process.returncode, errors) == (2, f"localfn: {folder}/localfn.toml:{reason}\n")
    assert not (up.home / "postgres").exists()


def test_limits_of_an_unknown_function_stop_the_start(start: Start, folder: Path) -> None:
    (folder / "localfn.toml").write_text("[functions.ehco]\n")
    up = start()
    _, errors = up.process.communicate(timeout=60)
    reason = f"{folder}/localfn.toml:1: [functions.ehco]: there is no function 'ehco'; did you mean echo?"
    assert (up.process.returncode, reason in errors, "Traceback" in errors) == (2, True, False)
