"""Build what is published, into dist/: `./dev build`.

The sdist and the wheel of `localfn`, and the wheel of `localfn-sdk`. The time of the commit replaces the time of
the build, so that one commit gives the same bytes everywhere. The pages of spa/dist must be built before.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGES = Path("spa", "dist", "index.html")
# What a wheel may put into site-packages.
TOP_LEVEL = {"localfn": "localfn_runtime", "localfn_sdk": "localfn"}


class BuildError(Exception):
    """The build failed; the message has the output of the tool that failed."""


def build(root: Path, dist: Path) -> list[Path]:
    """Build and check all files, and replace the folder `dist` by one that contains them. Raises BuildError."""
    if not (root / PAGES).is_file():
        raise BuildError(f"{PAGES} is missing; run ./dev build, which builds the pages first.")
    with tempfile.TemporaryDirectory() as folder:
        hatchling = [sys.executable, "-P", "-m", "hatchling", "build", "-d", folder]
        environment = build_environment(root)
        run(hatchling, root, environment)
        run([*hatchling, "-t", "wheel"], root / "queue", environment)
        built = sorted(Path(folder).iterdir())
        check(built, root)
        shutil.rmtree(dist, ignore_errors=True)  # a wheel of another version would be installed, too
        dist.mkdir()
        return [Path(shutil.copy(each, dist)) for each in built]


def check(built: Sequence[Path], root: Path) -> None:
    """Check the metadata, the long description, and what the wheels install. Raises BuildError."""
    run([sys.executable, "-P", "-m", "twine", "check", "--strict", *map(str, built)], root, os.environ)
    for wheel in (each for each in built if each.suffix == ".whl"):
        package = TOP_LEVEL[wheel.name.split("-")[0]]
        run([sys.executable, "-P", "-m", "check_wheel_contents", "--toplevel", package, str(wheel)], root, os.environ)


def build_environment(root: Path) -> Mapping[str, str]:
    """Return the environment with the time of the last commit. Without git, hatchling uses a constant time."""
    if "SOURCE_DATE_EPOCH" in os.environ or not (root / ".git").exists():
        return os.environ
    time_s = run(["git", "log", "-1", "--format=%ct"], root, os.environ).strip()
    return os.environ | {"SOURCE_DATE_EPOCH": time_s}


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Return the output of a command. Raises BuildError with its output where it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"the build failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Build from the command line."""
    try:
        built = build(Path.cwd(), Path.cwd() / "dist")
    except BuildError as error:
        sys.exit(f"build: {error}")
    for path in built:
        sys.stdout.write(f"{path.relative_to(Path.cwd())}\n")


if __name__ == "__main__":
    main()
