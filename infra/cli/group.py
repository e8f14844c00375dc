"""The root group: finds commands in modules by name, and turns every error into one line and an exit code."""

import importlib
from typing import Any

import click

from infra.masking import masked

# Found by their names, so that a command that needs none of these libraries imports none.
UNREACHABLE = frozenset(
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


class RootGroup(click.Group):
    """A group some of whose commands are modules: `name` stands in the module of that name."""

    def __init__(self, *args: Any, modules: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._modules]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(f"infra.cli.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"localfn: {one_line(error)}", err=True)
            ctx.exit(exit_code_of(error))


def one_line(error: Exception) -> str:
    """The message of an error of ours, whose messages are written to be read; of another's, its class too."""
    lines = masked(str(error)).strip().splitlines()
    first = lines[0] if lines else ""
    if hasattr(error, "exit_code"):
        return first
    return f"{type(error).__name__}: {first} (localfn --debug … shows where)"


def exit_code_of(error: Exception) -> int:
    if any(f"{kind.__module__}.{kind.__qualname__}" in UNREACHABLE for kind in type(error).__mro__):
        return UNREACHABLE_CODE
    code = getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1
