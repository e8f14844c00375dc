"""A real browser on the real stack. Every test fails on what the browser's console calls an error."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.support.runtime import Runtime

ROOT = Path(__file__).parents[3]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)
PATIENCE_MS = 20_000
# The browser itself reports answers of 400 and above; what the page makes of them is what the tests look at.
EXPECTED = ("Failed to load resource",)


def pytest_configure() -> None:
    expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), str(MAC) if MAC.exists() else None)
    assert found, "no browser for the tests of the pages: apt-get install chromium, or install Google Chrome"
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": chromium(), "args": FLAGS.split(), "headless": True}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    # Chromium shows no animation then, and the pages shorten theirs: what is measured stands still.
    return {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "locale": "en-GB"}


@pytest.fixture(scope="session")
def built() -> None:
    assert (ROOT / "spa/dist/index.html").exists(), "the pages are not built: run the tests by ./dev test"


@pytest.fixture(autouse=True)
def quiet_console(context: BrowserContext, built: None) -> Iterator[list[str]]:
    """What the pages complain about, a refusal by the Content-Security-Policy included."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            complaints.append(message.text)

    context.on("console", hear)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.set_default_timeout(PATIENCE_MS)
    yield complaints
    assert complaints == []


@pytest.fixture
def screen(page: Page, runtime: Runtime) -> Page:
    """The pages of the shared runtime, at their front."""
    page.goto(runtime.url)
    return page


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where pictures for a person's eye are put; CI keeps them."""
    folder = Path(os.environ.get("LOCALFN_PICTURES", ROOT / ".pictures"))
    folder.mkdir(exist_ok=True)
    return folder
