"""Check rq-dashboard in the browser: its pages work, and a script in one of them cannot access localfn."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages.test_access import log_in, login_runtime  # noqa: F401 - a fixture
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

# Requests that a script injected into a page of rq-dashboard tries. Each value is the data it got; null: none.
ATTACK = """
async () => {
  const gained = {};
  const attempt = async (name, act) => {
    try { gained[name] = (await Promise.race([act(), new Promise((end) => setTimeout(end, 3000))])) ?? null; }
    catch { gained[name] = null; }
  };
  const own = (name) => Object.getOwnPropertyDescriptor(Document.prototype, name);
  const text = async (answer) => (answer.type === "opaque" ? null : answer.text());
  const json = { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } };
  await attempt("origin", async () => (origin === "null" ? null : origin));
  await attempt("cookie", async () => own("cookie").get.call(document) || "read");
  await attempt("set cookie", async () => { own("cookie").set.call(document, "a=b"); return "set"; });
  await attempt("localStorage", async () => Object.keys(localStorage));
  await attempt("sessionStorage", async () => Object.keys(sessionStorage));
  await attempt("databases", async () => indexedDB.databases());
  await attempt("caches", async () => caches.keys());
  await attempt("service worker", async () => navigator.serviceWorker.register("/rq/static/js/jquery-3.5.1.min.js"));
  const readable = ["api/functions", "api/requests", "api/session", "openapi.json", "metrics", "rq/0/data/queues.json"];
  for (const path of readable) {
    await attempt(`GET ${path}`, async () => text(await fetch(BASE + path)));
    await attempt(`GET ${path}, cookies`, async () => text(await fetch(BASE + path, { credentials: "include" })));
    await attempt(`GET ${path}, no-cors`, async () => text(await fetch(BASE + path, { mode: "no-cors" })));
  }
  for (const path of ["api/functions/echo", "api/queues/default/pause", "rq/queue/default/queued/empty"]) {
    await attempt(`POST ${path}`, async () => text(await fetch(BASE + path, json)));
    await attempt(`POST ${path}, no-cors`, async () =>
      text(await fetch(BASE + path, { method: "POST", body: "{}", mode: "no-cors", credentials: "include" })));
    await attempt(`beacon ${path}`, async () => { navigator.sendBeacon(BASE + path, "{}"); });
    await attempt(`form ${path}`, async () => {
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", action: BASE + path, enctype: "text/plain" });
      form.innerHTML = "<input name='{\\"a\\":\\"' value='\\"}'>";
      document.body.append(form);
      form.submit();
    });
  }
  await attempt("module", async () => import(BASE + "assets/index.js"));
  await attempt("events", async () => new Promise((gain) => {
    const source = new EventSource(BASE + "api/events");
    source.onmessage = (event) => gain(event.data);
  }));
  await attempt("window", async () => { const opened = open(BASE); return opened && "opened"; });
  await attempt("named window", async () => { const opened = open(BASE, "localfn"); return opened && "opened"; });
  await attempt("opener", async () => window.opener && window.opener.location.href);
  await attempt("frame", async () => {
    const frame = document.createElement("iframe");
    frame.src = BASE;
    const loaded = new Promise((end) => { frame.onload = end; });
    document.body.append(frame);
    await loaded;
    return frame.contentDocument && frame.contentDocument.body.innerText;
  });
  await attempt("blank frame", async () => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    return (await frame.contentWindow.fetch(BASE + "api/functions")).text();
  });
  return gained;
}
"""


def run_attack(page: Page, base: str) -> dict[str, Any]:
    """Run the attack in the page; return the data that it got."""
    found: dict[str, Any] = page.evaluate(ATTACK.replace("BASE", f'"{base}/"'))
    return {name: value for name, value in found.items() if value is not None}


def test_a_script_in_a_page_cannot_access_localfn(page: Page, runtime: Runtime, console_messages: list[str]) -> None:
    runtime.call("raise_error")
    page.goto(runtime.url)
    page.evaluate("localStorage.setItem('localfn', 'secret')")
    job = runtime.get("/api/requests?limit=1")["items"][0]["job_id"]
    for path in ("", f"0/view/job/{job}"):
        page.goto(f"{runtime.url}/rq/{path}")
        before = runtime.get("/api/requests?limit=1")["items"]
        assert run_attack(page, runtime.url) == {}, path
        assert runtime.get("/api/requests?limit=1")["items"] == before
        assert [queue for queue in runtime.get("/api/queues")["items"] if queue["paused_at"]] == []
        assert len(page.context.pages) == 1
    console_messages.clear()  # The console reports each blocked request.


def test_a_script_in_a_page_cannot_use_an_admins_session(
    page: Page,
    login_runtime: Runtime,  # noqa: F811
    console_messages: list[str],
) -> None:
    log_in(page, login_runtime, "ada")
    page.goto(f"{login_runtime.url}/rq/")
    expect(page.get_by_role("row", name=re.compile("default"))).to_be_visible()
    before = login_runtime.get("/api/requests?limit=1")["items"]
    assert run_attack(page, login_runtime.url) == {}
    assert login_runtime.get("/api/requests?limit=1")["items"] == before
    assert len(page.context.pages) == 1
    console_messages.clear()


def test_its_pages_navigate_and_update_behind_a_login(
    page: Page,
    login_runtime: Runtime,  # noqa: F811
) -> None:
    log_in(page, login_runtime, "a-viewer")
    page.goto(f"{login_runtime.url}/rq/")
    row = page.get_by_role("row", name=re.compile("default"))
    expect(row).to_be_visible()
    failed = int(row.locator("td").nth(6).inner_text())
    login_runtime.call("charge_invoice")
    expect(row.locator("td").nth(6)).to_have_text(str(failed + 1))  # The page updates without a reload.
    row.locator("td").nth(6).get_by_role("link").click()
    expect(page).to_have_url(re.compile("/rq/0/view/jobs/default/failed/8/asc/1$"))
    expect(page.get_by_text("charge_invoice").first).to_be_visible()
    for button in ("Requeue", "Delete", "Empty queue", "Requeue All"):
        expect(page.get_by_text(button, exact=True).first).to_be_hidden()
    page.locator(".job_id a").first.click()
    expect(page.get_by_text("Exception Info")).to_be_visible()
    page.get_by_role("link", name="Workers").click()
    expect(page.get_by_text("high, default, low").first).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.locator("#select-registry").select_option("failed")
    expect(page).to_have_url(re.compile("/failed/8/asc/1$"))


@pytest.mark.parametrize(
    "argument",
    ["');window.struck=1;('", "\\", "</script><script>window.struck=1</script>", "<img src=x onerror=struck()>"],
)
def test_a_link_cannot_inject_a_script(page: Page, runtime: Runtime, argument: str) -> None:
    quoted = quote(argument, safe="")
    for path in (
        f"0/view/jobs/{quoted}/failed/10/asc/1",
        f"0/view/jobs/default/{quoted}/10/asc/1",
        f"0/view/jobs/default/failed/10/{quoted}/1",
        f"0/view/job/{quoted}",
    ):
        answer = page.goto(f"{runtime.url}/rq/{path}")
        assert answer is not None
        assert answer.status == 404
        assert page.evaluate("window.struck") is None


def test_names_from_redis_are_shown_as_text(page: Page, runtime: Runtime) -> None:
    import redis

    evil = "<img src=x onerror=window.struck=1>"
    with redis.Redis.from_url(runtime.redis_url) as client:
        name = "rq:worker:evil"
        client.hset(
            name, mapping={"birth": "2026-01-01T00:00:00.000000Z", "queues": evil, "version": evil, "state": evil}
        )
        client.sadd("rq:workers", name)
        client.sadd("rq:queues", f"rq:queue:{evil}", b"rq:queue:\xff", "rq:queue:a'b")
        client.hset("rq:job:evil", mapping={"data": "[]", "description": evil, "origin": "evil", "status": "failed"})
        client.zadd("rq:failed:evil", {"evil": 9e9, evil: 9e9})
        client.sadd("rq:queues", "rq:queue:evil")
        try:
            for path in ("", "0/view/workers", "0/view/jobs/evil/failed/8/asc/1", "0/view/job/evil"):
                page.goto(f"{runtime.url}/rq/{path}")
                expect(page.get_by_text("evil").first).to_be_visible()
                wait_until(
                    lambda: page.locator("[data-role=loading-placeholder]:visible").count() == 0, 20, "it is loaded"
                )
                assert page.evaluate("[window.struck, document.querySelectorAll('img').length]") == [None, 0], path
        finally:
            client.delete(name, "rq:job:evil", "rq:failed:evil")
            client.srem("rq:workers", name)
            client.srem("rq:queues", f"rq:queue:{evil}", b"rq:queue:\xff", "rq:queue:a'b", "rq:queue:evil")
