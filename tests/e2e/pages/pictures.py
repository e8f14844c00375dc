"""Take the pictures of the README and the docs: `./dev pictures`. Pytest only provides stack and browser."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e.pages.conftest import ROOT
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

FOLDER = ROOT / "docs" / "images"
SIZE = {"width": 1180, "height": 720}
COLOURS = 128
# Inter gives the same letters on all machines that have it; others use their system's font.
LETTERS = ":root { --font: Inter, system-ui, sans-serif } .source { visibility: hidden }"  # whose folder it is
CUSTOMERS = ("Ada", "Grace", "Linus", "Barbara", "Edsger")


def fill(runtime: Runtime) -> dict[str, str]:
    """Submit a morning's requests, most of which succeed."""
    for n in range(9):
        runtime.call("sync_inventory", {"warehouse": f"WH-{n % 4}", "succeed_at": 1})
    for customer in CUSTOMERS:
        runtime.call("echo", {"customer": customer})
    thumbnail(runtime.http)
    failed = runtime.call("charge_invoice", {"invoice": "A-1047"})["id"]
    runtime.call("sync_inventory", {"warehouse": "WH-7"})
    csv = {"csv": ("penguins.csv", (ROOT / "tests/data/penguins.csv").read_bytes(), "text/csv")}
    profiled = runtime.http.post("/api/functions/profile_csv", files=csv).json()["id"]
    runtime.wait_ended(profiled)
    runtime.post("echo", {"customer": "Ada"}, params={"delay_s": 5_400})
    running = runtime.post("build_report", {"month": "2026-11", "steps": 24, "pause_s": 4})["id"]
    progress = f"/api/requests/{running}"
    wait_until(lambda: (runtime.get(progress)["progress"]["fraction"] or 0) > 0.3, 60, "the report is under way")
    nightly = {"name": "nightly", "function": "sync_inventory", "expression": "30 2 * * MON-FRI"}
    more = {"timezone": "Europe/Berlin", "event": {"warehouse": "WH-1", "succeed_at": 1}}
    if runtime.http.get("/api/schedules/nightly").status_code != httpx.codes.OK:  # Both themes share these requests.
        runtime.http.post("/api/schedules", json=nightly | more)
    for _ in range(3):
        runtime.wait_ended(runtime.http.post("/api/schedules/nightly/run").json()["id"])
    return {"failed": failed, "profiled": profiled, "running": running}


def thumbnail(http: httpx.Client) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), "#5b3fd6").save(picture, "PNG")
    http.post("/api/functions/thumbnail", files={"image": ("cover.png", picture.getvalue(), "image/png")})


def take_picture(page: Page, name: str) -> None:
    shot = Image.open(io.BytesIO(page.screenshot()))
    FOLDER.mkdir(exist_ok=True)
    target: Path = FOLDER / f"{name}.png"
    shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(browser: Browser, runtime: Runtime, theme: Any) -> None:
    made = fill(runtime)
    viewport: Any = SIZE
    with browser.new_context(
        viewport=viewport, color_scheme=theme, reduced_motion="reduce", bypass_csp=True, locale="en-GB"
    ) as context:
        page = context.new_page()

        def open_page(address: str) -> None:
            page.goto(runtime.url + address, wait_until="networkidle")
            page.add_style_tag(content=LETTERS)
            expect(page.get_by_role("heading", level=1)).to_be_visible()

        open_page("/overview")  # First, because its request runs only for a while.
        expect(page.get_by_text("Ended per minute")).to_be_visible()
        take_picture(page, f"overview-{theme}")
        open_page(f"/requests/{made['running']}")
        take_picture(page, f"running-{theme}")
        open_page("/requests")
        take_picture(page, f"requests-{theme}")
        open_page("/functions/profile_csv")
        take_picture(page, f"function-{theme}")
        open_page("/schedules/nightly")
        take_picture(page, f"schedule-{theme}")
        open_page(f"/requests/{made['failed']}")
        take_picture(page, f"failed-{theme}")
