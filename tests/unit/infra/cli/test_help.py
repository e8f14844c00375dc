"""Check the output of `localfn --help`."""

import click
import pytest
from click.testing import CliRunner

from infra.cli.group import CommandGroup
from infra.cli.main import SECTIONS, cli


def groups() -> list[str]:
    context = click.Context(cli)
    return [name for name in cli.list_commands(context) if isinstance(cli.get_command(context, name), click.Group)]


def test_every_command_is_in_one_section_of_the_help() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(cli.commands) <= set(listed)
    assert all(cli.get_command(click.Context(cli), name) for name in listed)


@pytest.mark.parametrize("group", [(), *((name,) for name in groups())], ids=" ".join)
def test_no_sentence_of_a_list_of_commands_is_cut(group: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(cli, [*group, "--help"])
    assert answer.exit_code == 0
    assert "..." not in answer.output.split("[ARGS]...")[1]


def test_commands_of_a_group_are_listed_in_their_written_order() -> None:
    schedules = cli.get_command(click.Context(cli), "schedules")
    assert isinstance(schedules, CommandGroup)
    assert schedules.list_commands(click.Context(schedules))[:3] == ["list", "show", "create"]
