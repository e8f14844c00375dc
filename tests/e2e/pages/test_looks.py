"""How the pages look and weigh: accessible in both themes and on a phone, quick to load, nothing cut off."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.e2e.pages.conftest import ROOT
from tests.support.runtime import Runtime

AXE = ROOT / "spa/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MOST_BYTES = 150_000
SIZES = {"desktop": (1440, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def addresses(runtime: Runtime) -> dict[str, str]:
    """A page of each kind, with something on it."""
    files = {"csv": ("penguins.csv", (ROOT / "tests/data/penguins.csv").read_bytes(), "text/csv")}
    profiled = runtime.http.post("/api/functions/profile_csv", files=files).json()["id"]
    runtime.wait_ended(profiled)
    return {
        "requests": "/requests",
        "nothing-found": "/requests?q=nothing-has-this-text",
        "completed": f"/requests/{profiled}",
        "failed": f"/requests/{runtime.call('charge_invoice')['id']}",
        "running": f"/requests/{runtime.post('build_report', {'steps': 600, 'pause_s': 0.5})['id']}",
        "welcome": "/welcome",
        "audit": "/audit",
        "users": "/users",
        "keys": "/keys",
        "overview": "/overview",
        "functions": "/functions",
        "function": "/functions/order_as_model",
        "function-without-schema": "/functions/profile_csv",
        "schedules": "/schedules",
        "schedule": f"/schedules/{schedule(runtime, 'looked-at', '30 2 * * MON-FRI', 'America/New_York')}",
        "schedule-editor": "/schedules?new=profile_csv",
        "no-such-page": "/no/such/page",
    }


def schedule(runtime: Runtime, name: str, expression: str, timezone: str) -> str:
    """Makes one that has fired once."""
    body = {"name": name, "function": "echo", "expression": expression, "timezone": timezone, "event": {"n": [1, 2]}}
    assert runtime.http.post("/api/schedules", json=body).status_code == 201
    runtime.wait_ended(runtime.http.post(f"/api/schedules/{name}/run").json()["id"])
    return name


def violations(page: Page) -> list[dict[str, Any]]:
    # As the driver, not as a script of the page: its policy would rightly refuse that.
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"]
    return [{"rule": entry["id"], "at": [node["html"][:200] for node in entry["nodes"]]} for entry in found]


@pytest.mark.timeout(600)  # twenty pages, each examined whole: a busy machine needs its time
@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_every_page_is_accessible_fits_its_screen_and_is_pictured(
    browser: Browser, runtime: Runtime, addresses: dict[str, str], pictures: Path, theme: Any, size: str
) -> None:
    width, height = SIZES[size]
    viewport: Any = {"width": width, "height": height}
    faults: dict[str, Any] = {}
    with browser.new_context(viewport=viewport, color_scheme=theme, reduced_motion="reduce") as context:
        page = context.new_page()
        for name, address in addresses.items():
            page.goto(runtime.url + address, wait_until="networkidle")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.screenshot(path=pictures / f"{name}-{theme}-{size}.png", full_page=True)
            faults[name] = violations(page)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults[name].append("it is wider than its screen")
    assert {name: found for name, found in faults.items() if found} == {}


def test_the_first_load_is_small(page: Page, runtime: Runtime) -> None:
    weights: dict[str, int] = {}

    def weigh(answer: Response) -> None:
        if "/api/" not in answer.url and answer.status == 200:
            weights[answer.url] = len(gzip.compress(answer.body()))

    page.on("response", weigh)
    page.goto(runtime.url, wait_until="networkidle")
    assert weights, "nothing was loaded"
    assert sum(weights.values()) < MOST_BYTES, weights


def test_nothing_moves_while_a_page_loads(page: Page, runtime: Runtime, addresses: dict[str, str]) -> None:
    page.add_init_script(
        """
        window.moved = 0
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.moved += entry.value
        }).observe({ type: 'layout-shift', buffered: true })
        """
    )
    for name in ("requests", "running"):
        page.goto(runtime.url + addresses[name], wait_until="networkidle")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("window.moved") < 0.1, name  # what web.dev calls good
