"""Run commands inside the test process, for tests of exit codes and messages: a process costs half a second.

Tests of pipes, terminals, signals and environment run a real process; see tests/support/commands.py.
"""

import os

from click.testing import CliRunner, Result

from infra.cli.main import cli
from tests.support.runtime import Runtime


def invoke(runtime: Runtime, *words: str, stdin: str = "") -> Result:
    """Run a command with the runtime's environment; return exit code, stdout and stderr.

    An exception that the command does not report is raised, so that it fails the test.
    """
    env: dict[str, str | None] = dict.fromkeys(os.environ)
    env.update(runtime.env)
    return CliRunner().invoke(cli, words, input=stdin, env=env, catch_exceptions=False)
