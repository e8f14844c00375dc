"""Name the folders of PostgreSQL's data in a home, and switch from one to another.

A server reads only the data of its own major version. A restore fills `postgres.restoring`, which becomes
`postgres.restored` when it is complete. Then `postgres` is kept as `postgres.VERSION`, and the new folder takes its
name. Each step is one rename, so the next start finishes a switch that was killed.
"""

import importlib.metadata
import itertools
import re
import shutil
import subprocess
from pathlib import Path

from infra.errors import ServerFailedError

CURRENT, RESTORING, RESTORED = "postgres", "postgres.restoring", "postgres.restored"
# Holds the version of localfn that used the folder last. Without it, that was 0.1.0, which had no `db dump`; the first
# version that has it brought the same PostgreSQL.
USED_BY, FIRST_WITH_DUMP = "used_by", "0.2.0"


def check_version(folder: Path, program: Path) -> None:
    """Raise ServerFailedError if another major version made the data. program: the server."""
    version_file = folder / "data" / "PG_VERSION"
    if version_file.exists():
        made, brought = version_file.read_text().strip(), _major_version(program)
        if made != brought:
            raise ServerFailedError(_describe_difference(folder, int(made), int(brought)))
    (folder / USED_BY).write_text(importlib.metadata.version("localfn") + "\n")


def start_restore(home: Path) -> None:
    """Remove what a killed restore left."""
    finish_switch(home)
    shutil.rmtree(home / RESTORING, ignore_errors=True)


def switch(home: Path) -> Path | None:
    """Put the restored folder in place of the current one. Return where the current one is kept; None if none was."""
    (home / RESTORING).rename(home / RESTORED)
    return finish_switch(home)


def finish_switch(home: Path) -> Path | None:
    """Finish a switch, if a restore was complete."""
    restored, current, kept = home / RESTORED, home / CURRENT, None
    if not restored.exists():
        return None
    if current.exists():
        kept = _free_name(home, current)
        current.rename(kept)
    restored.rename(current)
    return kept


def _free_name(home: Path, current: Path) -> Path:
    version_file = current / "data" / "PG_VERSION"
    name = f"{CURRENT}.{version_file.read_text().strip() if version_file.exists() else 'old'}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(home / name for name in names if not (home / name).exists())


def _major_version(program: Path) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    found = re.search(r" (\d+)", done.stdout)
    if found is None:
        raise ServerFailedError(f"{program} does not run: {done.stderr.strip()}")
    return found[1]


def _describe_difference(folder: Path, made: int, brought: int) -> str:
    used_by = folder / USED_BY
    old = used_by.read_text().strip() if used_by.exists() else FIRST_WITH_DUMP
    start = f"PostgreSQL {made} made {folder}, and this version of localfn brings PostgreSQL {brought}"
    if made > brought:
        return f"{start}, which cannot read it. Start the newer version: `uvx localfn@{old} up`."
    return (
        f"{start}. Move the data: `uvx localfn@{old} db dump before.dump`, then `localfn db restore before.dump`; "
        "the old folder is kept."
    )
