"""Run commands without POSIX, as on Windows: each works, or says in one line what to do."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
RUN = """
from tests.support.systems.windows import hide_posix
hide_posix()

import json, sys
from click.testing import CliRunner
from infra.cli.main import cli
results = [CliRunner().invoke(cli, words) for words in json.loads(sys.argv[1])]
print(json.dumps([(result.exit_code, result.stdout, result.stderr) for result in results]))
"""


def run_on_windows(*commands: str) -> list[tuple[int, str, str]]:
    words = json.dumps([command.split() for command in commands])
    environment = {"PYTHONPATH": f"{ROOT / 'queue'}:{ROOT}", "LOCALFN_URL": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [(code, output, errors) for code, output, errors in json.loads(done.stdout)]


def test_commands_that_start_processes_name_wsl() -> None:
    commands = (
        "up",
        "init",
        "web",
        "worker",
        "scheduler",
        "dashboard",
        "doctor",
        "users list",
        "keys list",
        "db check",
    )
    for command, (code, output, errors) in zip(commands, run_on_windows(*commands), strict=True):
        name = command.split()[0]
        assert (code, output) == (1, ""), command
        assert errors == (
            f"localfn: `localfn {name}` needs Linux or macOS. On Windows install WSL with `wsl --install`, "
            "open its terminal, and run localfn there.\n"
        )


def test_commands_that_call_a_runtime_work() -> None:
    listed, version, *calls = run_on_windows("--help", "version", "functions list", "requests list", "workers list")
    assert (listed[0], "schedules" in listed[1], version[0]) == (0, True, 0)
    for code, _, errors in calls:
        assert (code, "no runtime answers at http://127.0.0.1:1" in errors) == (3, True), errors
