"""Check the page of one request in a browser, from submit to end, with all its actions."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.runtime import Runtime


def region(page: Page, heading: str) -> Locator:
    return page.locator("section").filter(has=page.get_by_role("heading", name=heading, exact=True))


def badge(page: Page) -> Locator:
    return page.locator(".head .badge")


def open_request(page: Page, runtime: Runtime, request_id: str) -> None:
    page.goto(f"{runtime.url}/requests/{request_id}")


def id_of(page: Page) -> str:
    return page.url.rpartition("/")[2]


def test_the_welcome_page_profiles_a_file_with_one_click(page: Page, runtime: Runtime) -> None:
    page.goto(f"{runtime.url}/welcome")
    page.get_by_role("button", name="Profile a CSV file").click()
    expect(badge(page)).to_have_text("completed")
    expect(region(page, "Result")).to_contain_text("rows: 12")
    expect(page.get_by_role("list", name="Phases").locator(".done")).to_have_count(5)
    files = region(page, "Files")
    expect(files.get_by_role("img", name="chart.svg")).to_be_visible()
    assert files.get_by_role("img", name="chart.svg").evaluate("image => image.naturalWidth") > 0
    files.get_by_role("listitem").filter(has_text="cleaned.csv").get_by_role("button", name="Preview").click()
    expect(files.get_by_role("table").get_by_role("row")).to_have_count(13)
    expect(region(page, "Logs")).to_contain_text("profiled 12 rows")


def test_the_page_follows_progress_and_logs_until_the_result(page: Page, runtime: Runtime) -> None:
    page.goto(runtime.url)  # The first page of a new browser loads slowly.
    request_id = runtime.post("build_report", {"steps": 8, "pause_s": 1.5})["id"]
    open_request(page, runtime, request_id)
    expect(badge(page)).to_have_text("processing")
    expect(page.get_by_text(re.compile(r"region \d of 8$"))).to_be_visible()
    expect(region(page, "Logs").locator(".ansi-2").first).to_have_text("ok")
    running, phases = region(page, "Attempts").locator(".row"), re.compile(r"(validate|cold start) .+, process ")
    expect(running.locator(".segment.process")).to_be_visible()
    expect(running.get_by_role("img")).to_have_attribute("aria-label", phases)
    assert badge(page).text_content() != "completed", "log and phases are seen while it runs"
    expect(badge(page)).to_have_text("completed")
    expect(region(page, "Result")).to_contain_text("regions: 8")
    expect(region(page, "Logs")).to_contain_text("region 8: 10536 orders")
    expect(region(page, "Files")).to_contain_text("report.csv")


def test_a_failure_shows_the_users_lines_and_retry_runs_it_again(page: Page, runtime: Runtime) -> None:
    request_id = runtime.call("charge_invoice")["id"]
    open_request(page, runtime, request_id)
    expect(badge(page)).to_have_text("failed")
    error = page.get_by_role("region", name="Error")
    expect(error).to_contain_text("JSONDecodeError")
    expect(error.locator(".frame")).to_have_count(2)
    expect(error.locator(".frame").last).to_contain_text("ui.py")
    expect(error.get_by_text("library frame")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(region(page, "Attempts").locator(".row")).to_have_count(2)
    expect(badge(page)).to_have_text("failed")
    assert [attempt["number"] for attempt in runtime.attempts(request_id)] == [1, 2]


def test_attempts_and_the_delay_between_them_share_one_scale(page: Page, runtime: Runtime) -> None:
    open_request(page, runtime, runtime.call("sync_inventory", {"succeed_at": 2})["id"])
    rows = region(page, "Attempts").locator(".row")
    expect(rows).to_have_count(2)
    expect(rows.last.locator(".backoff")).to_be_visible()
    expect(rows.first).to_contain_text("ConnectionError")


def test_a_key_cancels_a_running_request_after_confirmation(page: Page, runtime: Runtime) -> None:
    request_id = runtime.post("build_report", {"steps": 500, "pause_s": 0.5})["id"]
    open_request(page, runtime, request_id)
    expect(badge(page)).to_have_text("processing")
    page.keyboard.press("c")
    page.get_by_role("button", name="Cancel request").click()
    expect(badge(page)).to_have_text("cancelled")
    expect(page.get_by_text("Cancelled after")).to_be_visible()
    expect(page.get_by_role("region", name="Error")).to_have_count(0)
    assert runtime.wait_ended(request_id)["error_type"] == "Cancelled"


def test_an_edited_event_is_sent_only_as_valid_json(page: Page, runtime: Runtime) -> None:
    open_request(page, runtime, runtime.call("echo", {"n": 1})["id"])
    page.get_by_role("button", name="Edit and run").click()
    editor = page.get_by_role("textbox", name="Event", exact=True)
    editor.fill('{"n": 2,}')
    expect(page.get_by_text(re.compile(r"^Line 1, column \d+: "))).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("button", name="Run", exact=True)).to_be_disabled()
    editor.fill('{"n": 2}')
    before = id_of(page)
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: not url.endswith(before))
    expect(badge(page)).to_have_text("completed")
    assert runtime.get(f"/api/requests/{id_of(page)}/result")["data"] == {"n": 2}


EXACT = '{"2":1.0,"1":1849263518273645211,"0":[0.1,-0.0]}'


def test_no_action_of_the_page_changes_a_number(page: Page, runtime: Runtime) -> None:
    headers = {"Content-Type": "application/json"}
    first = runtime.http.post("/api/functions/echo", content=EXACT, headers=headers).json()["id"]
    runtime.wait_ended(first)
    open_request(page, runtime, first)
    for heading in ("Event", "Result"):
        expect(region(page, heading).locator(".number")).to_have_text(["0.1", "-0.0", "1849263518273645211", "1.0"])
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: not url.endswith(first))
    second = id_of(page)
    page.get_by_role("button", name="Edit and run").click()
    expect(page.get_by_role("textbox", name="Event", exact=True)).to_have_value(re.compile("1849263518273645211"))
    page.get_by_role("button", name="Format").click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: not url.endswith(second))
    for request_id in (second, id_of(page)):
        runtime.wait_ended(request_id)
        assert f'"event":{EXACT}' in runtime.http.get(f"/api/requests/{request_id}").text
        assert f'"data":{EXACT}' in runtime.http.get(f"/api/requests/{request_id}/result").text


def test_a_long_log_is_shown_whole_with_timestamps(page: Page, runtime: Runtime) -> None:
    open_request(page, runtime, runtime.call("print_numbers", {"to": 5_000})["id"])
    logs = region(page, "Logs")
    expect(logs.locator(".line").first).to_have_text("3001")
    logs.get_by_label("Filter lines").fill("1234")
    expect(logs.locator(".line")).to_have_text(["1234"])
    logs.get_by_label("Filter lines").fill("")
    logs.get_by_role("button", name="Show all lines").click()
    expect(logs.locator(".line")).to_have_count(5_000)
    logs.get_by_label("Timestamps").check()
    expect(logs.locator(".time").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))


def test_run_again_sends_the_uploads_too(page: Page, runtime: Runtime) -> None:
    files = {"csv": ("mine.csv", b"a,b\n1,2\n3,4\n", "text/csv")}
    request_id = runtime.http.post("/api/functions/profile_csv", files=files).json()["id"]
    open_request(page, runtime, request_id)
    expect(badge(page)).to_have_text("completed")
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: not url.endswith(request_id))
    expect(badge(page)).to_have_text("completed")
    again = runtime.get(f"/api/requests/{id_of(page)}")
    assert [file["filename"] for file in again["files"] if file["kind"] == "input"] == ["mine.csv"]


def test_a_long_result_is_folded_and_searched(page: Page, runtime: Runtime) -> None:
    event = {"orders": [{"number": n, "city": f"city {n}"} for n in range(3_000)]}
    open_request(page, runtime, runtime.call("echo", event)["id"])
    result = region(page, "Result")
    expect(result.get_by_role("button", name="Show 1,000 more")).to_be_visible()
    result.get_by_role("textbox").fill("city 2777")
    expect(result.get_by_text("1 match")).to_be_visible()
    expect(result.locator(".hit").filter(has_text="city 2777")).to_be_visible()


SHELL = ["bash", "-c"]
PROGRAMS = {"curl": SHELL, "Command line": SHELL, "Python": [sys.executable, "-c"]}
HARD = {
    "it's": '"quoted"; $HOME `id` \\ %s',
    "€ 🎉": ["line\nline", None, 1.5],
    "<b>": "a,b=@c;type=x",
    "2": 1849263518273645211,
    "1": 1.0,
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("is_upload", [False, True], ids=["event", "upload"])
def test_a_copied_call_submits_the_same_request(
    page: Page, runtime: Runtime, tmp_path: Path, name: str, is_upload: bool
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    files = {"part": ('odd; "na\'me",.txt', b"bytes", "text/plain")} if is_upload else None
    body = {"data": {"event": json.dumps(HARD)}, "files": files} if files else {"json": HARD}
    first = runtime.http.post("/api/functions/echo", **body).json()["id"]
    runtime.wait_ended(first)
    open_request(page, runtime, first)
    page.locator("summary", has_text="Copy as").click()
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_text("Copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")

    for filename, content, _ in (files or {}).values():
        (tmp_path / filename).write_bytes(content)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*PROGRAMS[name], text],
        cwd=tmp_path,
        env=runtime.env | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (text, done.stderr)
    second = runtime.get("/api/requests?function=echo&limit=1")["items"][0]["id"]
    assert second != first
    again = runtime.wait_ended(second)
    assert json.dumps(again["event"]) == json.dumps(HARD)
    assert [file["filename"] for file in again["files"]] == [filename for filename, _, _ in (files or {}).values()]


def test_the_page_of_a_deleted_request_says_so(page: Page, runtime: Runtime) -> None:
    open_request(page, runtime, "00000000-0000-7000-8000-000000000000")
    expect(page.get_by_role("heading", name="Request not found")).to_be_visible()
