"""Read the project's Markdown: pages, links, headings and fences with their markers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"""(?:\]\(|src=["']|srcset=["']|href=["'])([^)\s"']+)""")
MARKER = re.compile(r"<!-- (file|not run|after): (.+) -->")


@dataclass(frozen=True)
class Fence:
    """A fenced block. marker: the kind and the text of the comment on the line above it."""

    page: Path
    line: int
    language: str
    text: str
    marker: tuple[str, str] | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages(*folders: str) -> list[Path]:
    """Return the pages below these folders of docs/, in reading order."""
    return sorted(page for folder in folders for page in (DOCS / folder).rglob("*.md"))


def all_pages() -> list[Path]:
    """Return each page for readers: docs/ and the ones at the root."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def fences(page: Path) -> list[Fence]:
    """Return the fenced blocks of a page."""
    found: list[Fence] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        if lines[number].startswith("```"):
            end = next(n for n in range(number + 1, len(lines)) if lines[n].startswith("```"))
            marker = MARKER.fullmatch(lines[number - 1].strip()) if number else None
            text = "".join(f"{line}\n" for line in lines[number + 1 : end])
            language = lines[number].removeprefix("```").strip()
            found.append(Fence(page, number + 1, language, text, (marker[1], marker[2]) if marker else None))
            number = end
        number += 1
    return found


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of fences, with their numbers."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the targets of links and pictures, with their lines."""
    for number, line in prose(page):
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            yield number, target


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and mkdocs give the headings of a page."""
    headings = (re.match(r"#+ (.+)", line) for _, line in prose(page))
    return {slug(heading[1]) for heading in headings if heading}


def slug(heading: str) -> str:
    """Return a heading's anchor: lower case, hyphens for spaces, no punctuation."""
    words = re.sub(r"[^\w\- ]", "", re.sub(r"`|\[([^\]]*)\]\([^)]*\)", r"\1", heading)).strip().lower()
    return words.replace(" ", "-")
