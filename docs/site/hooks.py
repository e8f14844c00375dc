"""Hooks of mkdocs: put in what the code knows, bring along the pages of the root, and leave out the tests' markers."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "build" / "generated"
PAGES_OF_THE_ROOT = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "report.md"}
NAMES = "|".join(re.escape(name) for name in PAGES_OF_THE_ROOT)
# mkdocs warns of a link that leaves docs/: the pages of the root stand inside of the site.
TO_THE_ROOT = re.compile(rf"\]\(((?:\.\./)+)({NAMES})([#)])")
FROM_THE_ROOT = re.compile(r"\]\(docs/")
AMONG_THE_ROOT = re.compile(rf"\]\(({NAMES})([#)])")
GENERATE = re.compile(r"<!-- generate: (\w+) -->")
MARKER = re.compile(r"^<!-- (?:file|not run|after): .+ -->\n", re.MULTILINE)
FILE_MARKER = re.compile(r"^<!-- file: (.+) -->\n```(\w+)\n", re.MULTILINE)
SDK = """
## Docstrings

::: localfn.function
::: localfn.Function
::: localfn.Context
::: localfn.Retry
::: localfn.Fail
::: localfn.ValidationError
::: localfn.LocalfnError
"""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root."""
    for name, uri in PAGES_OF_THE_ROOT.items():
        text = FROM_THE_ROOT.sub("](", (ROOT / name).read_text(encoding="utf-8"))
        text = AMONG_THE_ROOT.sub(lambda found: f"]({PAGES_OF_THE_ROOT[found[1]]}{found[2]}", text)
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the page with generated parts, titles of files, and links that stay inside the site."""
    text = GENERATE.sub(_generated, markdown)
    text = FILE_MARKER.sub(r'```\2 title="\1"' + "\n", text)
    text = MARKER.sub("", text)
    return TO_THE_ROOT.sub(_inside, text)


def _generated(found: re.Match[str]) -> str:
    return SDK if found[1] == "sdk" else (GENERATED / f"{found[1]}.md").read_text(encoding="utf-8")


def _inside(found: re.Match[str]) -> str:
    return f"]({found[1].removeprefix('../')}{PAGES_OF_THE_ROOT[found[2]]}{found[3]}"
