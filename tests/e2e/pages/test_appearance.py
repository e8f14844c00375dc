"""Check how the pages look and load: accessible in both themes and sizes, small, without layout shifts."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, Response, expect

from tests.e2e.pages.conftest import ROOT
from tests.support.runtime import Runtime

AXE = ROOT / "spa/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MAX_BYTES = 150_000
SIZES = {"desktop": (1440, 900), "phone": (360, 740)}
# A page is loaded in the first variant, and switched to the next one.
VARIANTS: list[tuple[Literal["light", "dark"], str]] = [("light", "desktop"), ("dark", "phone")]


@pytest.fixture(scope="module")
def paths(runtime: Runtime) -> Iterator[dict[str, str]]:
    """Yield the path of one page of each kind, with content."""
    files = {"csv": ("penguins.csv", (ROOT / "tests/data/penguins.csv").read_bytes(), "text/csv")}
    profiled = runtime.http.post("/api/functions/profile_csv", files=files).json()["id"]
    runtime.wait_ended(profiled)
    running = runtime.post("build_report", {"steps": 600, "pause_s": 0.5})["id"]
    yield {
        "requests": "/requests",
        "nothing-found": "/requests?q=nothing-has-this-text",
        "completed": f"/requests/{profiled}",
        "failed": f"/requests/{runtime.call('charge_invoice')['id']}",
        "running": f"/requests/{running}",
        "welcome": "/welcome",
        "audit": "/audit",
        "users": "/users",
        "keys": "/keys",
        "overview": "/overview",
        "functions": "/functions",
        "function": "/functions/order_as_model",
        "function-without-schema": "/functions/profile_csv",
        "schedules": "/schedules",
        "schedule": f"/schedules/{create_schedule(runtime, 'looked-at', '30 2 * * MON-FRI', 'America/New_York')}",
        "schedule-editor": "/schedules?new=profile_csv",
        "no-such-page": "/no/such/page",
    }
    runtime.http.delete("/api/schedules/looked-at").raise_for_status()
    runtime.http.post(f"/api/requests/{running}/cancel").raise_for_status()


def create_schedule(runtime: Runtime, name: str, expression: str, timezone: str) -> str:
    """Create a schedule that has run once."""
    body = {"name": name, "function": "echo", "expression": expression, "timezone": timezone, "event": {"n": [1, 2]}}
    assert runtime.http.post("/api/schedules", json=body).status_code == 201
    runtime.wait_ended(runtime.http.post(f"/api/schedules/{name}/run").json()["id"])
    return name


def find_violations(page: Page) -> list[dict[str, Any]]:
    found = page.evaluate("rules => axe.run({runOnly: rules, resultTypes: ['violations']})", RULES)["violations"]
    return [{"rule": entry["id"], "at": [node["html"][:200] for node in entry["nodes"]]} for entry in found]


@pytest.mark.timeout(600)  # The test examines each page whole, which takes a busy machine minutes.
def test_every_page_is_accessible_and_fits_its_screen(
    page: Page, runtime: Runtime, paths: dict[str, str], pictures: Path
) -> None:
    faults: dict[str, list[Any]] = {}
    for name, path in paths.items():
        for theme, size in VARIANTS:
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            if theme == VARIANTS[0][0]:
                page.goto(runtime.url + path, wait_until="networkidle")
                # The driver evaluates axe; the page's policy forbids scripts that the page adds.
                page.evaluate(AXE.read_text())
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.screenshot(path=pictures / f"{name}-{theme}-{size}.png", full_page=True)
            found: list[Any] = find_violations(page)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append("it is wider than its screen")
            if found:
                faults[f"{name} {theme} {size}"] = found
    assert faults == {}


def test_the_first_load_is_small(page: Page, runtime: Runtime) -> None:
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright takes no builtin
    page.goto(runtime.url, wait_until="networkidle")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    loaded = [answer for answer in answers if "/api/" not in answer.url and answer.status == 200]
    weights = {answer.url: len(gzip.compress(answer.body())) for answer in loaded}
    assert weights, "nothing was loaded"
    assert sum(weights.values()) < MAX_BYTES, weights


def test_pages_load_without_layout_shifts(page: Page, runtime: Runtime, paths: dict[str, str]) -> None:
    page.add_init_script(
        """
        window.moved = 0
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.moved += entry.value
        }).observe({ type: 'layout-shift', buffered: true })
        """
    )
    for name in ("requests", "running"):
        page.goto(runtime.url + paths[name], wait_until="networkidle")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("window.moved") < 0.1, name  # The limit of web.dev for a good score.
