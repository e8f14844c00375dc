"""`localfn new` writes a project whose every part works, or writes nothing."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.cli.main import cli
from infra.command_name import VARIABLE
from infra.config import settings
from infra.config.setting_files import function_limits, localfn_toml
from infra.project import FILES, create_project, next_commands
from workqueue.schedules.declarations import validate_entry
from workqueue.schedules.validation import Rules


def new(*words: str) -> Result:
    return CliRunner().invoke(cli, ["new", *words])


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def uncomment(path: Path, start: str) -> None:
    """Remove the `#` of each example, as a user does."""
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.removeprefix("# ") if start in line else line for line in lines) + "\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    create_project(Path())
    return tmp_path


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = new()
    assert (answer.exit_code, answer.stdout.split()) == (0, list(FILES))
    assert list_files(tmp_path) == set(FILES)


def test_a_folder_is_created_with_its_parents(tmp_path: Path) -> None:
    assert new(str(tmp_path / "a" / "b")).exit_code == 0
    assert list_files(tmp_path / "a" / "b") == set(FILES)


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "mine.py").write_text("mine")
    assert new(str(tmp_path)).exit_code == 0
    assert (tmp_path / "functions" / "mine.py").read_text() == "mine"
    assert list_files(tmp_path) == {*FILES, "functions/mine.py"}


@pytest.mark.parametrize("name", FILES)
def test_an_existing_file_is_named_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    answer = new(str(tmp_path))
    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert f"{tmp_path / name} exists already" in answer.stderr
    assert list_files(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_to_nothing_counts_as_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "README.md").symlink_to(tmp_path / "elsewhere")
    assert new(str(tmp_path)).exit_code == 2
    assert list_files(tmp_path) == {"README.md"}


@pytest.mark.parametrize("blocked", ["tests", "new"])
def test_a_file_where_a_folder_is_needed_is_named_and_nothing_stays(tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked).write_text("mine")
    answer = new(str(tmp_path / "new" if blocked == "new" else tmp_path))
    assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
    assert str(tmp_path / blocked) in answer.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / blocked]


def test_the_tests_of_a_new_project_pass_under_plain_pytest(project: Path) -> None:
    pytest_program = Path(sys.executable).parent / "pytest"
    done = subprocess.run([pytest_program, "-q"], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_each_commented_setting_is_valid(project: Path) -> None:
    before = settings.load({"PATH": os.environ["PATH"]}, project)
    (project / ".env.example").rename(project / ".env")
    uncomment(project / ".env", "=")
    after = settings.load({"PATH": os.environ["PATH"]}, project)
    assert after.is_port_given
    unchanged = ("port", "concurrency", "retention_days", "log_level")
    assert [getattr(after, name) for name in unchanged] == [getattr(before, name) for name in unchanged]


def test_the_commented_example_of_localfn_toml_is_valid(project: Path) -> None:
    assert localfn_toml.named_tables(localfn_toml.read(project), localfn_toml.SCHEDULES) == {}
    before = settings.load({}, project)
    _, *example = (project / "localfn.toml").read_text().splitlines()
    (project / "localfn.toml").write_text("\n".join(line.removeprefix("# ") for line in example))
    schedules = localfn_toml.named_tables(localfn_toml.read(project), localfn_toml.SCHEDULES)
    for name, body in schedules.items():
        validate_entry(name, body, Rules(("default",), 1000, frozenset({"hello"})))
    assert schedules.keys() == {"hello-every-hour"}
    assert function_limits.read(project) == {"hello": {"timeout_s": 60}}
    assert settings.load({}, project) == replace(before, is_port_given=True)


def test_next_commands_work_where_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "./dev")
    assert next_commands(Path())[0] == "./dev up --open"
    assert next_commands(Path("a b"))[:2] == ["cd 'a b'", f"{tmp_path}/dev up --open"]
    monkeypatch.delenv(VARIABLE)
    assert next_commands(Path("a"))[:2] == ["cd a", "localfn up --open"]
    monkeypatch.setenv(VARIABLE, "uvx localfn")
    assert next_commands(Path())[0] == "uvx localfn up --open"
    monkeypatch.setenv(VARIABLE, "./my dev")
    assert next_commands(Path())[0] == "'./my dev' up --open"
