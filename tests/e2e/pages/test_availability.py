"""Check the pages while the server is down, below a sub-path, and behind a login."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime

Start = Callable[..., Runtime]
PASSWORD = "correct horse battery staple"


@pytest.fixture
def start(start_runtime: StartRuntime) -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(start_runtime(settings=settings))


def test_the_pages_report_a_killed_server_and_reconnect(page: Page, start: Start) -> None:
    runtime = start()
    request = runtime.post("build_report", {"steps": 40, "pause_s": 0.25})
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(f"{runtime.url}/requests/{request['id']}")
    expect(page.locator(".head .badge")).to_have_text("processing")
    web = runtime.processes.pop("web")
    web.kill()
    web.wait()
    banner = page.get_by_text("The server has not answered since")
    expect(banner).to_be_visible()
    expect(page.get_by_role("heading", name="build_report")).to_be_visible()
    before = len(asked)
    page.wait_for_timeout(3_000)
    assert len(asked) - before <= 6, "questions do not pile up"
    runtime.start("web")
    expect(banner).to_be_hidden(timeout=60_000)
    expect(page.locator(".head .badge")).to_have_text("completed", timeout=60_000)


def test_all_pages_work_below_a_sub_path(page: Page, start: Start) -> None:
    runtime = start(VITE_APP_STATIC_ROOT="/tools/localfn/", VITE_APP_API_ROOT="/tools/localfn/api")
    page.goto(f"{runtime.url}/tools/localfn/welcome")
    page.get_by_role("button", name="Profile a CSV file").click()
    expect(page).to_have_url(re.compile(r"/tools/localfn/requests/[0-9a-f-]{36}$"))
    expect(page.locator(".head .badge")).to_have_text("completed")
    page.reload()
    expect(page.get_by_role("img", name="chart.svg")).to_be_visible()
    page.get_by_role("link", name="Requests").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_required_login_leads_on_to_the_requested_page(page: Page, start: Start) -> None:
    runtime = start(LOCALFN_AUTH="required", SUPERUSER_USERNAME="ada", SUPERUSER_PASSWORD=PASSWORD)
    page.goto(f"{runtime.url}/requests?status=failed")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Wrong username or password.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("No requests match these filters.")).to_be_visible()
    expect(page).to_have_url(f"{runtime.url}/requests?status=failed")
    page.locator("summary", has_text="ada").click()
    expect(page.get_by_text("Role: admin")).to_be_visible()
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
