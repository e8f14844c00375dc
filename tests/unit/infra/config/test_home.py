"""Create the home folder of a runtime."""

import subprocess
from pathlib import Path

from infra.config.home import Home


def test_git_ignores_a_home_inside_a_project(tmp_path: Path) -> None:
    for _ in range(2):
        Home(tmp_path / ".localfn").make()
    (tmp_path / ".localfn" / "postgres").mkdir()
    (tmp_path / ".localfn" / "postgres" / "password").write_text("secret")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    shown = subprocess.run(["git", "-C", str(tmp_path), "status", "--porcelain"], capture_output=True, check=True)
    assert shown.stdout == b""


def test_a_changed_gitignore_of_the_home_stays(tmp_path: Path) -> None:
    Home(tmp_path).make()
    (tmp_path / ".gitignore").write_text("files/\n")
    Home(tmp_path).make()
    assert (tmp_path / ".gitignore").read_text() == "files/\n"
