"""The English of code, documentation and SPA is plain: at most these many idioms and pronouns per 1,000 words."""

from pathlib import Path

import pytest

from tests.unit.project.prose import (
    Figures,
    Passage,
    markdown_passages,
    measure,
    passages,
    python_passages,
    spa_passages,
)

ROOT = Path(__file__).parents[3]
MAX_IDIOMS_PER_1000, MAX_PRONOUNS_PER_1000, MAX_SHARE_WITHOUT_VERB = 1.5, 0.3, 0.03
CODE = ("benchmarks", "functions", "handlers", "infra", "queue", "schema", "seed", "tests")


def of_python() -> Figures:
    # The texts of old migrations and of the phrase lists themselves stay as they are.
    files = (path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py")))
    chosen = (path for path in files if "versions" not in path.parts and path.name != "prose.py")
    return measure(passages(chosen, python_passages))


def of_markdown() -> Figures:
    return measure(passages([*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))], markdown_passages))


def of_spa() -> Figures:
    return measure(passages(sorted((ROOT / "spa" / "src" / "texts").rglob("*.ts")), spa_passages))


@pytest.mark.parametrize("read", [of_python, of_markdown, of_spa])
def test_the_english_is_plain(read: object) -> None:
    assert callable(read)
    figures = read()
    shown = "\n".join(figures.findings)
    assert figures.words > 1000, "nothing was read"
    assert figures.idioms_per_1000 <= MAX_IDIOMS_PER_1000, shown
    assert figures.pronouns_per_1000 <= MAX_PRONOUNS_PER_1000, shown
    assert figures.share_without_verb <= MAX_SHARE_WITHOUT_VERB, shown


def test_idioms_pronouns_and_docstrings_without_a_verb_are_found() -> None:
    figures = measure(
        [
            Passage("a", "Whether somebody is told.", is_function_docstring=True),
            Passage("b", "Return the lease.", is_function_docstring=True),
            Passage("c", "The worker renews its lease."),
        ]
    )
    assert (figures.words, figures.idioms, figures.pronouns) == (12, 2, 1)
    assert (figures.docstrings, figures.without_verb) == (2, 1)
    assert len(figures.findings) == 1
