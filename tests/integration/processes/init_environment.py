"""Run `localfn init` and other commands on a database of one test."""

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from tests.support.commands import COMMAND
from tests.support.fork_server.client import Command
from tests.support.runtime import EXAMPLES, sandbox_user_settings

STATE = """
    SELECT json_build_object(
        'flags', (SELECT count(*) FROM setup_flag WHERE name = 'fixtures'),
        'schedules', (SELECT count(*) FROM schedule),
        'requests', (SELECT count(*) FROM processing_request),
        'users', (SELECT coalesce(json_agg(username || ' ' || role), '[]') FROM app_user),
        'migrations', (SELECT count(*) FROM alembic_version))
"""


class InitEnvironment:
    """An empty database, and the environment of processes that start on it."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("LOCALFN_")} | {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "LOCALFN_HOME": str(folder / "home"),
            "LOCALFN_FUNCTIONS": str(EXAMPLES),
            **sandbox_user_settings(),
        }

    def start(self, *words: str, **environ: str) -> Command:
        return Command(words, self.env | environ)

    def start_interpreter(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command as users do, with all its imports."""
        return subprocess.Popen(
            [*COMMAND, *words], env=self.env | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str, **environ: str) -> tuple[int, str, str]:
        """Run a command to its end; return exit code, stdout and stderr."""
        return self.start(*words, **environ).communicate(timeout=60)

    def query(self, statement: str) -> Any:
        with psycopg.connect(self.database_url.replace("+psycopg", "", 1)) as connection:
            row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None
