"""Provide groups of commands: lazy imports, sections in the help, and one line and an exit code for every error."""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import click

from infra.command_name import with_command_name
from infra.redaction import redact

# Classes by name, so that a command does not import the libraries that it does not use.
UNREACHABLE_ERRORS = frozenset(
    {
        "sqlalchemy.exc.OperationalError",
        "psycopg.errors.OperationalError",
        "psycopg.OperationalError",
        "redis.exceptions.ConnectionError",
        "redis.exceptions.TimeoutError",
        "httpx.ConnectError",
        "httpx.ConnectTimeout",
    }
)
UNREACHABLE_CODE = 3
INTERRUPTED_CODE = 130
MAX_SUMMARY_CHARACTERS = 300  # characters: longer than any first sentence


class CommandGroup(click.Group):
    """List commands in the order of the code, each with its whole first sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.write_section(ctx, formatter, "Commands", self.list_commands(ctx))

    def write_section(
        self, ctx: click.Context, formatter: click.HelpFormatter, title: str, names: Iterable[str]
    ) -> None:
        # click cuts a summary after one line.
        found = ((name, self.get_command(ctx, name)) for name in names)
        with formatter.section(title):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(MAX_SUMMARY_CHARACTERS))
                    for name, command in found
                    if command and not command.hidden
                ]
            )


class RootGroup(CommandGroup):
    """Group commands in titled sections. A command outside this module is imported from the module of its name."""

    def __init__(self, *args: Any, sections: Mapping[str, tuple[str, ...]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return [name for names in self._sections.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in self._sections.items():
            self.write_section(ctx, formatter, title, names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands or cmd_name not in self.list_commands(ctx):
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(f"infra.cli.commands.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED_CODE)
        except Exception as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"localfn: {with_command_name(error_line(error))}", err=True)
            ctx.exit(exit_code_of(error))


def error_line(error: Exception) -> str:
    """Return the error in one line: the message of an own error; class and message of any other error."""
    lines = redact(str(error)).strip().splitlines()
    first = lines[0] if lines else ""
    if hasattr(error, "exit_code"):
        return first
    return f"{type(error).__name__}: {first} (`localfn --debug …` shows the traceback)"


def exit_code_of(error: Exception) -> int:
    if any(f"{kind.__module__}.{kind.__qualname__}" in UNREACHABLE_ERRORS for kind in type(error).__mro__):
        return UNREACHABLE_CODE
    code = getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1
