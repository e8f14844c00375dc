"""Check the preflight of `./dev up`, which runs before any installation with the standard library only."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.config.home import Home
from tests.support.up import free_port

ROOT = Path(__file__).parents[3]


def check(folder: Path, *words: str, **environ: str) -> tuple[int, str]:
    """Run the preflight with -S: without installed packages, as on a fresh machine."""
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-m", "infra.supervisor.preflight", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_busy_port_is_found_wherever_it_is_named(tmp_path: Path, busy_port: int) -> None:
    line = f"localfn: PORT {busy_port} on 127.0.0.1 is already in use"
    for words, environ in (
        ((f"--port={busy_port}",), {}),
        (("--port", str(busy_port)), {}),
        ((), {"PORT": str(busy_port)}),
    ):
        code, said = check(tmp_path, *words, **environ)
        assert (code, said.startswith(line), said.count("\n")) == (1, True, 1), said
    (tmp_path / ".env").write_text(f"# mine\nexport PORT='{busy_port}'\n")
    assert check(tmp_path)[1].startswith(line)
    (tmp_path / ".env").unlink()
    (tmp_path / "localfn.toml").write_text(f"[settings]\nport = {busy_port}\n")
    assert check(tmp_path)[1].startswith(line)
    assert check(tmp_path, PORT=str(free_port())) == (0, "")


def test_a_mistake_in_localfn_toml_is_named_with_its_line(tmp_path: Path) -> None:
    for text, reason in (
        ("[settings]\nport = 'x'\n", "2: port: 'x' is not a whole number from 1 to 65535."),
        ("[settings]\nhome = [\n", "2: not valid TOML: "),
        ("[setting]\n", "1: [setting] is unknown; did you mean [settings]?"),
    ):
        (tmp_path / "localfn.toml").write_text(text)
        code, said = check(tmp_path)
        assert (code, said.count("\n")) == (2, 1)
        assert said.startswith(f"localfn: {tmp_path}/localfn.toml:{reason}")


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "deep")
    for home in ("file", "file/below", "nowhere"):
        code, said = check(tmp_path, LOCALFN_HOME=home)
        assert (code, said.count("\n")) == (1, 1)
        assert said.startswith(f"localfn: LOCALFN_HOME {tmp_path / home} cannot be used: ")
    if os.geteuid() != 0:
        (tmp_path / "shut").mkdir(mode=0o500)
        assert "Permission denied" in check(tmp_path, LOCALFN_HOME="shut/home")[1]


def test_valid_assets_are_left_unchanged(tmp_path: Path) -> None:
    assert check(tmp_path, "--port", "0") == (2, "localfn: PORT: '0' is not a whole number from 1 to 65535.\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert check(tmp_path, PORT=str(port), LOCALFN_HOME="a b/c") == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_port_of_a_running_home_is_not_checked(tmp_path: Path, busy_port: int) -> None:
    """Leave a busy port to `up`: it waits for the end of a killed run, or reports the running one."""
    home = Home(tmp_path / "home")
    home.make()
    with home.locked():
        assert check(tmp_path, LOCALFN_HOME="home", PORT=str(busy_port)) == (0, "")
