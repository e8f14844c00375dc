"""The list of requests in a browser: filters and pages in the address, live rows, many at once, keys."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime


@pytest.fixture(scope="module")
def filled(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """A runtime of its own: these tests count what is listed. Empty at first, as a person finds it."""
    with start_runtime() as runtime:
        yield runtime


def rows(page: Page) -> Locator:
    return page.locator("tbody tr")


def fill(runtime: Runtime) -> None:
    """120 that are completed and 3 that failed, made once."""
    if runtime.get("/api/requests?function=charge_invoice")["items"]:
        return
    runtime.http.post("/api/functions/echo/batch", json=[{"order": n} for n in range(120)])
    for _ in range(3):
        runtime.call("charge_invoice")
    runtime.call("echo", {"order": "the last one"})


def test_an_empty_list_offers_the_first_run(page: Page, filled: Runtime) -> None:
    page.goto(filled.url)
    expect(page.get_by_role("button", name="Profile a CSV file")).to_be_visible()


def test_new_rows_come_by_themselves_and_change_while_they_run(page: Page, filled: Runtime) -> None:
    fill(filled)
    page.goto(f"{filled.url}/requests")
    expect(rows(page)).to_have_count(50)
    filled.post("build_report", {"steps": 9, "pause_s": 1})
    expect(rows(page).first).to_contain_text("build_report")
    expect(rows(page).first).to_contain_text(re.compile("processing.*region"))
    expect(rows(page).first).to_contain_text("completed")


def test_pages_and_filters_stand_in_the_address_and_back_and_forward_keep_them(page: Page, filled: Runtime) -> None:
    fill(filled)
    page.goto(f"{filled.url}/requests?function=echo")
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


def test_a_search_and_a_status_narrow_the_list_and_the_empty_one_leads_back(page: Page, filled: Runtime) -> None:
    fill(filled)
    page.goto(f"{filled.url}/requests")
    expect(rows(page)).to_have_count(50)
    page.keyboard.press("/")
    page.keyboard.type("the last one")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("group", name="Status").get_by_role("button", name="failed").click()
    page.get_by_role("button", name="Clear filters").click()
    expect(rows(page)).to_have_count(50)


def test_keys_walk_the_list_and_open_a_row(page: Page, filled: Runtime) -> None:
    fill(filled)
    page.goto(f"{filled.url}/requests?status=failed")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    target = rows(page).nth(1).get_by_role("link").get_attribute("href")
    expect(rows(page).nth(1)).to_have_class(re.compile("current"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{filled.url}{target}")
    page.keyboard.press("u")
    expect(page).to_have_url(f"{filled.url}/requests?status=failed")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_all_that_fit_the_filters_are_selected_beyond_the_page(page: Page, filled: Runtime) -> None:
    fill(filled)
    page.goto(f"{filled.url}/requests?function=echo")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("checkbox", name="Select all on this page").check()
    bar = page.get_by_role("group", name="Bulk actions")
    bar.get_by_role("button", name="Select all matching requests").click()
    expect(bar).to_contain_text("121 selected")
    expect(bar.get_by_role("button", name="Delete")).to_contain_text("121")
    rows(page).first.get_by_role("checkbox").uncheck()
    expect(bar).to_contain_text("49 selected")


def test_the_selected_are_retried_and_deleted_together(page: Page, filled: Runtime) -> None:
    fill(filled)
    page.goto(f"{filled.url}/requests?function=charge_invoice")
    expect(rows(page)).to_have_count(3)
    page.get_by_role("checkbox", name="Select all on this page").check()
    bar = page.get_by_role("group", name="Bulk actions")
    bar.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_text("3 requests queued to run again.")).to_be_visible()
    # The attempts have a column of their own.
    expect(rows(page).locator("td:nth-child(5)")).to_have_text(["2", "2", "2"])
    expect(rows(page).filter(has_text="failed")).to_have_count(3)
    page.get_by_role("checkbox", name="Select all on this page").check()
    bar.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No requests match these filters.")).to_be_visible()
    assert filled.get("/api/requests?function=charge_invoice")["items"] == []
