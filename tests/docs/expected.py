"""Compare what a command printed with what a page shows of it.

A page shows a sample: ids, times and durations differ from run to run. `…` in a line means any text, a line `…`
for any lines. An id that a page shows is bound to the real one, so that later commands of the page may name it.
"""

import re

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ANY_LINES = "…"
# What differs between two runs, by its looks -> what it may be.
VARIABLE = (
    (UUID, None),
    (r"lfn_[\w-]+", r"lfn_[\w-]+"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?",) * 2,
    (r"\d+(?:\.\d+)? (?:ms|s|min|h|d|MB)\b", r"\d+(?:\.\d+)? (?:ms|s|min|h|d|MB)"),
    (r"[\w.]+-[0-9a-f]{8}\b", r"[\w.-]+-[0-9a-f]{8}"),
    (r"…", r".*"),
    (r" +", r"\s+"),
)
LOOKS = re.compile("|".join(f"({looks})" for looks, _ in VARIABLE))


class Sample:
    """The ids of one page: those it shows, and the real ones behind them."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def real(self, command: str) -> str:
        """Return the command with the real ids."""
        return re.sub(UUID, lambda found: self.ids.get(found[0], found[0]), command)

    def difference(self, shown: str, printed: str) -> str:
        """Return how the printed lines differ from the shown ones; empty when they fit."""
        before = dict(self.ids)
        difference = self._difference(shown, printed)
        if difference:
            self.ids = before
        return difference

    def _difference(self, shown: str, printed: str) -> str:
        lines = printed.splitlines()
        at, may_skip = 0, False
        for expected in shown.splitlines():
            if expected.strip() == ANY_LINES:
                may_skip = True
                continue
            found = next((n for n in range(at, len(lines)) if self._fits(expected, lines[n])), None)
            if found is None or (found > at and not may_skip):
                seen = lines[at] if at < len(lines) else "the end of the output"
                return f"shown:   {expected}\nprinted: {seen}"
            at, may_skip = found + 1, False
        return "" if may_skip or at >= len(lines) else f"not shown: {lines[at]}"

    def _fits(self, expected: str, line: str) -> bool:
        match = re.fullmatch(self._pattern(expected), line.rstrip())
        if match is None:
            return False
        self.ids.update(zip(re.findall(UUID, expected), match.groups(), strict=True))
        return True

    def _pattern(self, expected: str) -> str:
        pattern, at = "", 0
        expected = expected.rstrip()
        for found in LOOKS.finditer(expected):
            pattern += re.escape(expected[at : found.start()]) + self._stand_in(found)
            at = found.end()
        return pattern + re.escape(expected[at:])

    def _stand_in(self, found: re.Match[str]) -> str:
        kind = found.lastindex or 1
        return VARIABLE[kind - 1][1] or f"({re.escape(self.ids.get(found[0], '')) or UUID})"
