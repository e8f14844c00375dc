"""Prepare a release: `./dev release VERSION`.

Set the version, put the date on the changelog's section, and build all files into dist/. Nothing is committed,
tagged or uploaded: the last line of output says how. After a refusal or a failed build the tree is as before.
"""

import datetime
import re
import subprocess
import sys
from pathlib import Path

from tools.build import BuildError, build

VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
LINE = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
SDK = re.compile(r'^  "localfn-sdk==[^"]+",$', re.MULTILINE)
SECTION = re.compile(r"^## .*$", re.MULTILINE)


class RefusedError(Exception):
    """The release cannot be made; the message says why, and what to do."""


def release(root: Path, version: str, today: datetime.date) -> list[Path]:
    """Make the release in this clone. Returns the built files. Raises RefusedError, BuildError."""
    project, changelog = root / "pyproject.toml", root / "CHANGELOG.md"
    before = {path: path.read_text(encoding="utf-8") for path in (project, changelog)}
    check(root, version, before[project])
    dated = with_date(before[changelog], version, today)
    try:
        project.write_text(with_version(before[project], version), encoding="utf-8")
        changelog.write_text(dated, encoding="utf-8")
        return build(root, root / "dist")
    except BaseException:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
        raise


def check(root: Path, version: str, project: str) -> None:
    """Raise RefusedError unless the version is new and the tree is clean."""
    if not VERSION.fullmatch(version):
        raise RefusedError(f"{version!r} is not a version; use three numbers, such as 0.2.0 or 0.2.0rc1.")
    if changes := git(root, "status", "--porcelain"):
        raise RefusedError(f"the tree has changes; commit or remove them first:\n{changes}")
    if git(root, "tag", "--list", f"v{version}"):
        raise RefusedError(f"the tag v{version} exists; choose a newer version.")
    present = LINE.search(project)
    if present is None:
        raise RefusedError("pyproject.toml has no line 'version = \"…\"'; add one.")
    if numbers(version) < numbers(present[1]):
        raise RefusedError(f"{version} is older than {present[1]}; choose a newer version.")


def with_version(project: str, version: str) -> str:
    """Return pyproject.toml with the version of both wheels. Raises RefusedError."""
    changed, lines = LINE.subn(f'version = "{version}"', project, count=1)
    changed, requirements = SDK.subn(f'  "localfn-sdk=={version}",', changed, count=1)
    if (lines, requirements) != (1, 1):
        raise RefusedError("pyproject.toml has no line 'version = \"…\"' or no requirement of localfn-sdk; add it.")
    return changed


def with_date(changelog: str, version: str, today: datetime.date) -> str:
    """Return the changelog with the unreleased section under the version and its date. Raises RefusedError."""
    headings = {found[0]: found for found in SECTION.finditer(changelog)}
    if any(re.fullmatch(rf"## {re.escape(version)}(?: - .*)?", heading) for heading in headings):
        raise RefusedError(f"CHANGELOG.md has a section {version} already; choose a newer version.")
    found = headings.get(f"## {version} (unreleased)") or headings.get("## Unreleased")
    if found is None:
        raise RefusedError(f"CHANGELOG.md has no section '## Unreleased' or '## {version} (unreleased)'; add one.")
    following = SECTION.search(changelog, found.end())
    if "\n- " not in changelog[found.end() : following.start() if following else None]:
        raise RefusedError("the changelog's unreleased section is empty; describe the changes first.")
    heading = f"## Unreleased\n\n## {version} - {today.isoformat()}"
    return changelog[: found.start()] + heading + changelog[found.end() :]


def numbers(version: str) -> tuple[int, ...]:
    """Return the three numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def git(root: Path, *words: str) -> str:
    """Return the output of a git command. Raises RefusedError where git fails."""
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"git {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.rstrip()


def main() -> None:
    """Release from the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: ./dev release VERSION")
    version = sys.argv[1]
    try:
        built = release(Path.cwd(), version, datetime.datetime.now(datetime.UTC).date())
    except (RefusedError, BuildError) as error:
        sys.exit(f"release: {error}")
    for path in built:
        sys.stdout.write(f"{path}\n")
    sys.stdout.write(f"next: git commit -am 'Release {version}' && git tag v{version}\n")


if __name__ == "__main__":
    main()
