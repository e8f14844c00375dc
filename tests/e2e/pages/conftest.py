"""Run a real browser on the real stack. A test fails on each error or warning of the browser's console."""

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
TIMEOUT_MS = 20_000
# The browser itself reports statuses of 400 and above; the tests assert how the page handles them.
EXPECTED = ("Failed to load resource",)


def pytest_configure() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


def chromium() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), str(MAC) if MAC.exists() else None)
    assert found, "no browser for the tests of the pages: apt-get install chromium, or install Google Chrome"
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": chromium(), "args": FLAGS.split(), "headless": True}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    # Chromium and the pages then skip animations, so that measured elements do not move.
    return {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", "locale": "en-GB"}


@pytest.fixture(scope="session")
def built() -> None:
    assert (ROOT / "spa/dist/index.html").exists(), "the pages are not built: run the tests by ./dev test"


@pytest.fixture(autouse=True)
def console_messages(context: BrowserContext, built: None) -> Iterator[list[str]]:
    """Collect errors and warnings of the pages, violations of the Content-Security-Policy included."""
    messages: list[str] = []

    def record(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            messages.append(message.text)

    context.on("console", record)
    context.on("weberror", lambda error: messages.append(str(error.error)))
    context.set_default_timeout(TIMEOUT_MS)
    yield messages
    assert messages == []


@pytest.fixture
def screen(page: Page, runtime: Runtime) -> Page:
    """Return a page that shows the front page of the shared runtime."""
    page.goto(runtime.url)
    return page


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Return the folder for screenshots; CI keeps them."""
    folder = Path(os.environ.get("LOCALFN_PICTURES", ROOT / ".pictures"))
    folder.mkdir(exist_ok=True)
    return folder
