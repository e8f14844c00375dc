"""Build both wheels, install them into new environments, and use them as a user without a clone does."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.runtime import make_folder, sandbox_user_settings
from tests.support.up import Up, without_runtime_settings
from tools.build import build

ROOT = Path(__file__).parents[2]
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
# Modules of a project may have the names of the runtime's packages.
TAKEN_NAMES = ("handlers", "infra", "schema", "seed", "workqueue", "queue_")
WHOSE = f"""
import {", ".join(TAKEN_NAMES)}
from localfn import function

@function
def whose(event, context):
    return [module.OWNER for module in ({", ".join(TAKEN_NAMES)})]
"""


@pytest.fixture(scope="module")
def dist() -> Iterator[Path]:
    with make_folder() as folder:
        build(ROOT, folder / "dist")
        folder.chmod(0o755)
        yield folder / "dist"


@pytest.fixture(scope="module")
def installed(dist: Path) -> Path:
    """Return an environment with localfn, in a path with a space and an umlaut."""
    environment = dist.parent / "für localfn"
    create(environment, sys.executable)
    install(environment, dist, "localfn")
    return environment


def create(environment: Path, python: str) -> None:
    run(sys.executable, "-P", "-m", "uv", "venv", "--quiet", "--python", python, str(environment))


def install(environment: Path, dist: Path, *words: str) -> None:
    """Install with the tested versions of the dependencies, so that no release of today changes the outcome."""
    pins = dist.parent / "pins.txt"
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins.write_text("\n".join(line.removesuffix(" \\") for line in lines if line[:1].isalnum()))
    options = ("--python", str(environment / "bin" / "python"), "--find-links", str(dist), "--constraint", str(pins))
    run(sys.executable, "-P", "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", *options, *words)


def run(*command: str, cwd: Path | None = None, **environ: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=without_runtime_settings() | environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def find_wheel(dist: Path, name: str) -> Path:
    (wheel,) = dist.glob(f"{name}-*.whl")
    return wheel


def test_each_wheel_installs_one_package(dist: Path) -> None:
    for name, package in (("localfn", "localfn_runtime"), ("localfn_sdk", "localfn")):
        tops = {entry.split("/")[0] for entry in names_in(find_wheel(dist, name))}
        assert {top for top in tops if not top.endswith(".dist-info")} == {package}


def test_the_wheel_holds_pages_migrations_fixtures_templates_and_examples(dist: Path) -> None:
    names = names_in(find_wheel(dist, "localfn"))
    folders = (
        "spa/dist",
        "schema/migrations/versions",
        "seed/fixtures",
        "infra/project_template",
        "functions/examples",
    )
    for folder in folders:
        kept = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*") if is_source(path)}
        assert kept
        assert {f"localfn_runtime/{folder}/{path}" for path in kept} <= names


def is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def test_a_second_build_has_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    again = {path.name: path.read_bytes() for path in build(ROOT, tmp_path / "dist")}
    assert again == {path.name: path.read_bytes() for path in dist.iterdir()}


def test_the_sdist_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("localfn-*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path)
    (source,) = tmp_path.iterdir()
    command = (sys.executable, "-P", "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    run(*command, cwd=source)
    wheel = find_wheel(dist, "localfn")
    assert names_in(tmp_path / wheel.name) == names_in(wheel)


def test_the_documentation_lists_what_is_installed(installed: Path) -> None:
    """Compare names: each release of a dependency may bring or drop another package."""
    page = (ROOT / "docs" / "how-to" / "installing.md").read_text()
    listed = set(re.findall(r"`([a-z0-9-]+)`", page.partition("shows:")[2].partition("Before Python")[0]))
    shown = run(sys.executable, "-P", "-m", "uv", "pip", "freeze", "--python", str(installed / "bin" / "python"))
    names = {re.split("==| @", line)[0] for line in shown.splitlines()}
    assert names - {"async-timeout"} == listed


def test_a_project_with_modules_of_the_same_names_is_served(installed: Path) -> None:
    localfn = installed / "bin" / "localfn"
    with make_folder() as project:
        (project / "functions").mkdir()
        (project / "functions" / "whose.py").write_text(WHOSE)
        for folder in (project, project / "functions"):
            for name in TAKEN_NAMES:
                (folder / f"{name}.py").write_text("OWNER = 'project'\n")
        up = Up(project, command=(str(localfn),), PYTHONPATH=str(project), **sandbox_user_settings())
        try:
            up.wait_ready()
            assert up.submit("whose", {}, Prefer="wait=30")["result"] == ["project"] * len(TAKEN_NAMES)
            page = httpx.get(f"http://127.0.0.1:{up.port}/")
            assert (page.status_code, "<!doctype html>" in page.text) == (200, True)
            assert "_PLACEHOLDER" not in page.text
            environ = {"LOCALFN_HOME": str(up.home), "PORT": str(up.port), "PYTHONPATH": str(project)}
            assert "whose" in run(str(localfn), "requests", "list", cwd=project, **environ)
            up.end()
            assert up.process.returncode == 0
        finally:
            up.process.kill()
            up.process.communicate(timeout=30)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_an_ordinary_user_runs_it_from_a_read_only_environment(dist: Path) -> None:
    python = next((each for each in (sys.executable, "/usr/bin/python3") if is_open_to_all(each)), None)
    if python is None:
        pytest.skip("no interpreter is open to other users")
    environment = dist.parent / "read only"
    create(environment, python)
    install(environment, dist, "localfn")
    with make_folder() as project:
        project.chmod(0o755)
        work = project / "work"
        work.mkdir()
        os.chown(work, NOBODY, NOBODY)
        command = (*AS_NOBODY, str(environment / "bin" / "localfn"))
        up = Up(work, command=command, HOME=str(work))
        try:
            up.wait_ready()
            assert up.submit("echo", {"a": 1}, Prefer="wait=30")["result"] == {"a": 1}
            up.end()
            assert up.process.returncode == 0
        finally:
            up.process.kill()
            up.process.communicate(timeout=30)


def is_open_to_all(python: str) -> bool:
    """Return True if every user can run the interpreter of this environment or path."""
    if not Path(python).exists():
        return False
    version = run(python, "-c", "import sys; print(sys.version_info >= (3, 11), sys.base_prefix)").split(maxsplit=1)
    prefix = Path(version[1].strip())
    return version[0] == "True" and all(folder.stat().st_mode & 0o001 for folder in (prefix, *prefix.parents))


def test_hints_name_uvx_where_uvx_started_localfn(dist: Path, tmp_path: Path) -> None:
    uvx = (sys.executable, "-P", "-m", "uv", "tool", "run", "--quiet", "--find-links", str(dist))
    command = [*uvx, "localfn", "version", "--wrong"]
    usage = subprocess.run(command, env=without_runtime_settings(), cwd=tmp_path, capture_output=True, check=False)
    assert usage.stderr.startswith(b"Usage: uvx localfn version"), usage.stderr


@pytest.mark.parametrize(
    ("variable", "value", "extra"),
    [
        ("LOCALFN_FILES", "s3://bucket/prefix", "localfn[s3]"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "localfn[otel]"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces", "localfn[otel]"),
    ],
)
def test_a_setting_that_needs_an_extra_names_it(
    installed: Path, tmp_path: Path, variable: str, value: str, extra: str
) -> None:
    done = subprocess.run(
        [installed / "bin" / "localfn", "up"],
        cwd=tmp_path,
        env=without_runtime_settings() | {variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith(f"localfn: {variable}: the package ")
    assert extra in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_sdk_alone_needs_no_other_package(dist: Path, tmp_path: Path) -> None:
    environment = tmp_path / "sdk"
    create(environment, sys.executable)
    install(environment, dist, "localfn-sdk")
    code = "import localfn, importlib.util as u; print(localfn.function.__name__, u.find_spec('localfn_runtime'))"
    assert run(str(environment / "bin" / "python"), "-I", "-c", code) == "function None\n"
    assert shutil.which("localfn", path=str(environment / "bin")) is None
