"""The site of `./dev docs` builds without a warning, holds the code's reference, and loads nothing from other hosts."""

import inspect
import re
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from localfn import Context, function
from tests.docs.markdown import ROOT

pytestmark = pytest.mark.timeout(600)

LOADS = {
    "script": "src",
    "img": "src",
    "source": "srcset",
    "iframe": "src",
    "link": "href",
    "video": "src",
    "embed": "src",
}
FOREIGN = re.compile(r"(?:https?:)?//[\w.-]+", re.IGNORECASE)
IN_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


def first_line(documented: Callable[..., object]) -> str:
    return str(inspect.getdoc(documented)).partition("\n")[0]


@pytest.fixture(scope="module")
def site() -> Path:
    """Build the site; mkdocs is strict, so a broken link or anchor fails the build."""
    done = subprocess.run([ROOT / "dev", "docs"], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "WARNING -" not in done.stderr
    return ROOT / "build" / "docs"


class Loads(HTMLParser):
    """The addresses that a browser loads for a page, links to click aside."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADS.get(tag, ""))
        # The canonical link is a name, which browsers do not load.
        if address and dict(attrs).get("rel") != "canonical":
            self.addresses.append(address)


def loaded(site: Path) -> Iterator[tuple[Path, str]]:
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        parser = Loads()
        parser.feed(text)
        yield from ((page, address) for address in [*parser.addresses, *IN_CSS.findall(text)])
    for style in sorted(site.rglob("*.css")):
        yield from ((style, address) for address in IN_CSS.findall(style.read_text(encoding="utf-8")))


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    found = list(loaded(site))
    assert len(found) > 100, "the parser sees what pages load"
    foreign = [f"{page.relative_to(site)}: {address}" for page, address in found if FOREIGN.match(address)]
    assert not foreign


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("reference/sdk.html", first_line(Context.save_file)),
        ("reference/sdk.html", first_line(function)),
        ("reference/cli.html", "localfn requests purge"),
        ("reference/http-api.html", "POST /api/functions/{name}/batch"),
        ("reference/tables.html", "lease_expires_at"),
        ("changelog.html", "0.1.0"),
    ],
)
def test_the_reference_holds_what_the_code_knows(site: Path, page: str, text: str) -> None:
    words = re.sub(r"<[^>]+>", "", (site / page).read_text(encoding="utf-8"))
    assert text in " ".join(words.split())


def test_no_marker_of_the_tests_is_shown(site: Path) -> None:
    marked = [
        page for page in site.rglob("*.html") if re.search(r"<!-- ?(file|not run|after|generate):", page.read_text())
    ]
    assert not marked


def test_users_do_not_install_what_builds_the_site() -> None:
    packages = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert not re.search(r"^mkdocs", packages, re.MULTILINE)
    assert re.search(r"^mkdocs-material==", (ROOT / "requirements-docs.txt").read_text(encoding="utf-8"), re.MULTILINE)
