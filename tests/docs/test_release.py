"""Make a release in a clone: version, changelog and built files; a refusal changes nothing."""

import datetime
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT
from tools.release import RefusedError, with_date

TODAY = datetime.datetime.now(datetime.UTC).date().isoformat()
NEXT = "7.0.0"
CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n- a thing\n\n## 0.1.0\n\n### Added\n- all\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return cloned(tmp_path)


@pytest.fixture(scope="module")
def old_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of version 0.1.0, for releases that are refused and so change nothing."""
    target = cloned(tmp_path_factory.mktemp("release"))
    project = target / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"$', 'version = "0.1.0"', project.read_text()))
    commit(target)
    run("git", "tag", "v8.0.0", cwd=target)
    return target


def cloned(folder: Path) -> Path:
    """Make a clean clone, with a line in the changelog to release."""
    target = folder / "clone"
    run("git", "clone", "--quiet", "--shared", str(ROOT), str(target), cwd=folder)
    (target / "CHANGELOG.md").write_text(CHANGELOG)
    pages = target / "spa" / "dist"  # `./dev release` builds them first
    pages.mkdir()
    (pages / "index.html").write_text("<!doctype html>")
    commit(target)
    return target


def commit(clone: Path) -> None:
    """Commit the changes, if any."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    run("git", *identity, "commit", "--allow-empty", "--quiet", "--all", "--message", "Change something", cwd=clone)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def release(clone: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "tools.release", version]
    return subprocess.run(
        command, cwd=clone, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


def test_a_release_sets_version_and_date_and_builds_all_files(clone: Path) -> None:
    done = release(clone, NEXT)
    assert done.returncode == 0, done.stderr
    assert f'version = "{NEXT}"' in (clone / "pyproject.toml").read_text()
    dated = CHANGELOG.replace("## Unreleased", f"## Unreleased\n\n## {NEXT} - {TODAY}")
    assert (clone / "CHANGELOG.md").read_text() == dated
    with zipfile.ZipFile(clone / "dist" / f"localfn-{NEXT}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
        assert f"Version: {NEXT}" in wheel.read(f"localfn-{NEXT}.dist-info/METADATA").decode()
        assert f"Requires-Dist: localfn-sdk=={NEXT}\n" in wheel.read(f"localfn-{NEXT}.dist-info/METADATA").decode()
    assert "localfn_runtime/workqueue/submit.py" in names
    assert (clone / "dist" / f"localfn_sdk-{NEXT}-py3-none-any.whl").is_file()
    with tarfile.open(clone / "dist" / f"localfn-{NEXT}.tar.gz") as sdist:
        assert f"localfn-{NEXT}/queue/localfn/py.typed" in sdist.getnames()


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("seven", "'seven' is not a version"),
        ("0.1.0", "CHANGELOG.md has a section 0.1.0 already"),
        ("0.0.9", "0.0.9 is older than"),
        ("8.0.0", "the tag v8.0.0 exists"),
    ],
)
def test_a_wrong_version_is_refused_and_changes_nothing(old_clone: Path, version: str, reason: str) -> None:
    done = release(old_clone, version)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert run("git", "status", "--porcelain", cwd=old_clone).stdout == ""
    assert not (old_clone / "dist").exists()


def test_a_tree_with_changes_is_refused(old_clone: Path) -> None:
    new = old_clone / "new.txt"
    new.write_text("not committed")
    done = release(old_clone, NEXT)
    new.unlink()
    assert done.returncode == 1
    assert "the tree has changes" in done.stderr
    assert "new.txt" in done.stderr
    assert not (old_clone / "dist").exists()


def test_a_failed_build_leaves_the_tree_as_it_was(clone: Path) -> None:
    project = clone / "pyproject.toml"
    project.write_text(project.read_text().replace('requires-python = ">=3.11"', 'requires-python = "some"'))
    commit(clone)
    done = release(clone, NEXT)
    assert done.returncode == 1
    assert "the build failed" in done.stderr
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""


def test_the_section_may_carry_its_version_already() -> None:
    changelog = CHANGELOG.replace("## Unreleased", "## 0.2.0 (unreleased)")
    dated = with_date(changelog, "0.2.0", datetime.date(2026, 11, 30))
    assert "## Unreleased\n\n## 0.2.0 - 2026-11-30\n" in dated


@pytest.mark.parametrize("changelog", ["# Changelog\n", CHANGELOG.replace("- a thing\n", "")])
def test_nothing_to_release_is_refused(changelog: str) -> None:
    with pytest.raises(RefusedError):
        with_date(changelog, "0.2.0", datetime.date(2026, 11, 30))
