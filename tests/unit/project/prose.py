"""Measure how plain the project's English is.

It counts idioms, pronouns without a noun, and function docstrings that do not start with a verb.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Phrases that readers of English as a second language have to translate back. The style guide has the plain words.
IDIOMS = (
    "all the same", "anew", "anybody", "are none", "are to", "are told", "as it is", "at home", "by now", "for ever",
    "go on", "goes on", "hence", "holds the truth", "is none", "is the truth", "is there", "is this", "is to",
    "is told", "it is this", "left out", "lies", "no more", "nobody", "of those", "of what", "of whom", "once more",
    "one that", "so many", "somebody", "stand for", "stand in", "stands for", "stands in", "tells of",
    "that there are", "that there is", "thereby", "told of", "what a", "what is", "what it", "what was", "whatever",
    "whereof", "who calls", "who has", "who is", "whoever",
)  # fmt: skip
PRONOUNS = ("anybody", "he", "his", "nobody", "ours", "somebody", "theirs", "whatever", "whoever")
# A docstring of a function says what the function does: "Return …", "Extend the lease of …".
NO_VERBS = (
    "a", "after", "all", "an", "as", "at", "before", "behind", "both", "by", "each", "every", "first", "for",
    "from", "how", "in", "it", "its", "last", "like", "nobody", "none", "nothing", "now", "of", "on", "one",
    "since", "so", "that", "the", "these", "this", "those", "to", "what", "when", "where", "whether", "which",
    "who", "whoever", "whose", "with",
)  # fmt: skip
NO_PROSE = re.compile(r"#\s*(noqa|type:|!|pragma|pyright|fmt:)")
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|`([^`]*)`|\"((?:[^\"\\]|\\.)*)\"")


def any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, phrases))})\b", re.IGNORECASE)


IDIOM, PRONOUN = any_of(IDIOMS), any_of(PRONOUNS)
NO_VERB = re.compile(rf"(?:{'|'.join(NO_VERBS)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Passage:
    """A docstring, a comment, a line of Markdown, or a text of the SPA."""

    place: str
    text: str
    is_function_docstring: bool = False


@dataclass
class Figures:
    """Counts over passages. findings: one line for each finding, with its place."""

    words: int = 0
    idioms: int = 0
    pronouns: int = 0
    docstrings: int = 0
    without_verb: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def idioms_per_1000(self) -> float:
        return 1000 * self.idioms / max(self.words, 1)

    @property
    def pronouns_per_1000(self) -> float:
        return 1000 * self.pronouns / max(self.words, 1)

    @property
    def share_without_verb(self) -> float:
        return self.without_verb / max(self.docstrings, 1)


def measure(passages: Iterable[Passage]) -> Figures:
    """Count words, idioms, pronouns, and function docstrings without a verb at their start."""
    figures = Figures()
    for passage in passages:
        idioms, pronouns = IDIOM.findall(passage.text), PRONOUN.findall(passage.text)
        lacks_verb = passage.is_function_docstring and NO_VERB.match(passage.text) is not None
        figures.words += len(passage.text.split())
        figures.idioms += len(idioms)
        figures.pronouns += len(pronouns)
        figures.docstrings += passage.is_function_docstring
        figures.without_verb += lacks_verb
        if found := [*idioms, *pronouns, *(["no verb at its start"] if lacks_verb else [])]:
            figures.findings.append(f"{passage.place}: {', '.join(dict.fromkeys(found))}: {passage.text[:100]!r}")
    return figures


def python_passages(path: Path) -> Iterator[Passage]:
    """Yield the docstrings and comments of a module."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
            text = ast.get_docstring(node)
            if text:
                is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                yield Passage(f"{path}:{getattr(node, 'lineno', 1)}", text, is_function)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not NO_PROSE.match(token.string):
            yield Passage(f"{path}:{token.start[0]}", token.string.lstrip("# "))


def markdown_passages(path: Path) -> Iterator[Passage]:
    """Yield the lines of a page outside fenced blocks, without their inline code."""
    is_fenced = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif not is_fenced:
            yield Passage(f"{path}:{number}", re.sub(r"`[^`]*`", "", line))


def spa_passages(path: Path) -> Iterator[Passage]:
    """Yield the quoted texts of a TypeScript module that have more than one word."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for groups in QUOTED.findall(line):
            text = next(filter(None, groups), "")
            if " " in text:
                yield Passage(f"{path}:{number}", text)


def passages(paths: Iterable[Path], read: Callable[[Path], Iterator[Passage]]) -> Iterator[Passage]:
    for path in paths:
        yield from read(path)
