"""Errors in fixtures."""

from collections.abc import Sequence


class FixtureError(Exception):
    """Some fixtures are invalid, so none was loaded. Each problem names file and line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class BadEntryError(Exception):
    """One entry is invalid; the message has the reason."""
