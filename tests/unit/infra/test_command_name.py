"""Hints name the command that the user typed."""

import pytest

from infra.command_name import UVX, VARIABLE, with_command_name


@pytest.mark.parametrize("typed", ["./dev", "/opt/a clone/dev"])
def test_hints_name_the_command_that_was_typed(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setenv(VARIABLE, typed)
    shown = typed if " " not in typed else f"'{typed}'"
    assert with_command_name("start it with `localfn up`; more: localfn requests show 1") == (
        f"start it with `{shown} up`; more: {shown} requests show 1"
    )


@pytest.mark.parametrize("typed", ["./dev", "/opt/a clone/dev", UVX, "localfn"])
def test_a_hint_that_names_the_command_already_stays(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setenv(VARIABLE, typed)
    hint = with_command_name("start it with `localfn up`; more: localfn requests show 1")
    assert with_command_name(hint) == hint


def test_text_that_is_not_a_command_stays() -> None:
    for text in (
        "localfn ready on http://…",
        "/opt/localfn up",
        "what answers is not localfn (HTTP 404)",
        "localfn upper",
    ):
        assert with_command_name(text) == text


def test_without_dev_hints_name_localfn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert with_command_name("`localfn up`") == "`localfn up`"
