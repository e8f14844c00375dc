"""Make lists of the `name: meaning` lines in docstrings, which Markdown would join into one paragraph."""

import re
from typing import Any

from griffe import Extension, Object

ENTRY = re.compile(r"^(\w+(?:\(\))?(?:, \w+(?:\(\))?)*): (?=\S)")


class Entries(Extension):
    """Rewrite docstrings while the sources are read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Give an object's docstring the list of its entries."""
        if obj.docstring is not None:
            obj.docstring.value = listed(obj.docstring.value)


def listed(text: str) -> str:
    """Return the docstring with one list item per entry; indented lines behind an entry belong to it."""
    lines: list[str] = []
    is_inside = False
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry:
            if not is_inside:
                lines.append("")
            lines.append(f"- `{entry[1]}`: {line[entry.end() :]}")
        elif is_inside and line and not line.startswith(" "):
            lines += ["", line]
        else:
            lines.append(line.replace("::", ":") if line.endswith("::") else line)
        is_inside = bool(entry) or (is_inside and line.startswith("    "))
    return "\n".join(lines)
