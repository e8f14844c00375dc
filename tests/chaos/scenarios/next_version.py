"""Make a copy of the code that is one migration ahead, as the next version is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("functions", "handlers", "infra", "queue", "schema", "seed")
# A minor version may add columns with a default, and tables.
ADDED = {
    "schema/tables/requests.py": """
for _table in (processing_request, setup_flag, worker):
    _table.append_column(Column("next_note", Text, server_default="new", nullable=False))
next_table = Table("next_table", metadata, Column("id", Integer, primary_key=True))
""",
    "schema/tables/schedules.py": """
schedule_tick.append_column(Column("next_note", Text, server_default="new", nullable=False))
""",
}
LIMIT_S = 60


@dataclass(frozen=True)
class Version:
    """Hold the folder of one version's code."""

    folder: Path

    def env(self) -> dict[str, str]:
        """Return the variable that makes Python import this code instead of the installed one."""
        return {"PYTHONPATH": f"{self.folder}:{self.folder / 'queue'}"}


def current_version() -> Version:
    return Version(ROOT)


def make_next_version(folder: Path, env: Mapping[str, str]) -> Version:
    """Copy the code, expand its tables, and let its own command write the migration. env: of a migrated database."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / file, folder / file)
    for path, text in ADDED.items():
        with (folder / path).open("a") as module:
            module.write(text)
    version = Version(folder)
    command = [sys.executable, "-P", "-m", "localfn_runtime", "db", "revision", "-m", "next version"]
    done = subprocess.run(
        command,
        env={**os.environ, **env, **version.env()},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout, done.stdout
    return version
