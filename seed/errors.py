"""What can be wrong with fixtures."""

from collections.abc import Sequence


class FixtureError(Exception):
    """Fixtures that cannot be loaded: nothing of them was. Each problem names file and line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class BadEntryError(Exception):
    """One entry cannot be; the message says why."""
