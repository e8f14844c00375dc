"""Check the list of requests in a browser: filters and pages in the URL, live rows, bulk actions, keys."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime


@pytest.fixture(scope="module")
def list_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a runtime of this module's own, because these tests count listed requests. It starts empty."""
    with start_runtime() as runtime:
        yield runtime


def rows(page: Page) -> Locator:
    return page.locator("tbody tr")


def fill(runtime: Runtime) -> None:
    """Create 120 completed and 3 failed requests, once."""
    if runtime.get("/api/requests?function=charge_invoice")["items"]:
        return
    runtime.http.post("/api/functions/echo/batch", json=[{"order": n} for n in range(120)])
    for _ in range(3):
        runtime.call("charge_invoice")
    runtime.call("echo", {"order": "the last one"})


def test_an_empty_list_offers_to_run_a_function(page: Page, list_runtime: Runtime) -> None:
    page.goto(list_runtime.url)
    expect(page.get_by_role("button", name="Profile a CSV file")).to_be_visible()


def test_new_rows_appear_and_change_without_a_reload(page: Page, list_runtime: Runtime) -> None:
    fill(list_runtime)
    page.goto(f"{list_runtime.url}/requests")
    expect(rows(page)).to_have_count(50)
    list_runtime.post("build_report", {"steps": 9, "pause_s": 1})
    expect(rows(page).first).to_contain_text("build_report")
    expect(rows(page).first).to_contain_text(re.compile("processing.*region"))
    expect(rows(page).first).to_contain_text("completed")


def test_the_url_holds_page_and_filters_through_back_and_forward(page: Page, list_runtime: Runtime) -> None:
    fill(list_runtime)
    page.goto(f"{list_runtime.url}/requests?function=echo")
    expect(rows(page)).to_have_count(50)
    first = rows(page).first.get_by_role("link").get_attribute("href")
    page.get_by_role("button", name="Older").click()
    expect(page).to_have_url(re.compile("function=echo.*cursor="))
    expect(rows(page).first.get_by_role("link")).not_to_have_attribute("href", first or "")
    page.get_by_role("button", name="Older").click()
    expect(rows(page)).to_have_count(21)
    rows(page).first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="echo")).to_be_visible()
    page.go_back()
    expect(rows(page)).to_have_count(21)
    page.get_by_role("button", name="Newer").click()
    expect(rows(page)).to_have_count(50)
    page.get_by_role("button", name="Newer").click()
    expect(rows(page).first.get_by_role("link")).to_have_attribute("href", first or "")
    page.go_back()
    page.go_back()
    expect(rows(page)).to_have_count(21)


def test_search_and_status_filter_the_list_and_an_empty_list_offers_a_reset(page: Page, list_runtime: Runtime) -> None:
    fill(list_runtime)
    page.goto(f"{list_runtime.url}/requests")
    expect(rows(page)).to_have_count(50)
    page.keyboard.press("/")
    page.keyboard.type("the last one")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("group", name="Status").get_by_role("button", name="failed").click()
    page.get_by_role("button", name="Clear filters").click()
    expect(rows(page)).to_have_count(50)


def test_keys_move_through_the_list_and_open_a_row(page: Page, list_runtime: Runtime) -> None:
    fill(list_runtime)
    page.goto(f"{list_runtime.url}/requests?status=failed")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    target = rows(page).nth(1).get_by_role("link").get_attribute("href")
    expect(rows(page).nth(1)).to_have_class(re.compile("current"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{list_runtime.url}{target}")
    page.keyboard.press("u")
    expect(page).to_have_url(f"{list_runtime.url}/requests?status=failed")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_select_all_covers_every_page_of_the_filtered_list(page: Page, list_runtime: Runtime) -> None:
    fill(list_runtime)
    page.goto(f"{list_runtime.url}/requests?function=echo")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("checkbox", name="Select all on this page").check()
    bar = page.get_by_role("group", name="Bulk actions")
    bar.get_by_role("button", name="Select all matching requests").click()
    expect(bar).to_contain_text("121 selected")
    expect(bar.get_by_role("button", name="Delete")).to_contain_text("121")
    rows(page).first.get_by_role("checkbox").uncheck()
    expect(bar).to_contain_text("49 selected")


def test_selected_requests_are_retried_and_deleted_together(page: Page, list_runtime: Runtime) -> None:
    fill(list_runtime)
    page.goto(f"{list_runtime.url}/requests?function=charge_invoice")
    expect(rows(page)).to_have_count(3)
    page.get_by_role("checkbox", name="Select all on this page").check()
    bar = page.get_by_role("group", name="Bulk actions")
    bar.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_text("3 requests queued to run again.")).to_be_visible()
    expect(rows(page).locator("td:nth-child(5)")).to_have_text(["2", "2", "2"])
    expect(rows(page).filter(has_text="failed")).to_have_count(3)
    page.get_by_role("checkbox", name="Select all on this page").check()
    bar.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No requests match these filters.")).to_be_visible()
    assert list_runtime.get("/api/requests?function=charge_invoice")["items"] == []
