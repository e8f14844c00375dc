"""Treat uploaded files as data: names stay names, content is never a page, and no path leaves its folder."""

import pytest

from tests.support.runtime import Runtime

NAMES = [
    "../evil",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "..\\evil",
    "a\0b",
    "x" * 300,
    "ä" * 150,
    "a\nb",
    "a\x7fb",
]
# Harmless in a separate folder per file; on other systems these names are devices.
ODD = [
    "CON",
    "nul.txt",
    "a b",
    "-rf",
    "~root",
    "%2e%2e%2fevil",
    "x;rm -rf",
    "$(id)",
    "ä€😀.csv",
    ".htaccess",
    "x" * 255,
]


def form(name: str, filename: str, content: bytes = b"x") -> tuple[bytes, dict[str, str]]:
    """Build a multipart body with exactly these names; a client library would correct them."""
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"').encode() for text in (name, filename)]
    body = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % tuple(quoted)
    return body + content + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


def outside(runtime: Runtime) -> set[str]:
    """Return all names around the store, without files of requests."""
    return {path.name for path in runtime.home.parent.iterdir()} | {path.name for path in runtime.home.iterdir()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["name", "filename"])
def test_a_name_with_a_path_is_rejected(runtime: Runtime, name: str, place: str) -> None:
    before = outside(runtime), len(list((runtime.home / "files").iterdir()))
    body, headers = form(name, "ok") if place == "name" else form("ok", name)
    answer = runtime.http.post("/api/functions/echo", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert (outside(runtime), len(list((runtime.home / "files").iterdir()))) == before


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_only_a_name(runtime: Runtime, name: str) -> None:
    before = outside(runtime)
    body, headers = form("part", name, b"content")
    answer = runtime.http.post("/api/functions/echo", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    runtime.wait_ended(answer.json()["id"])
    got = runtime.http.get(f"{answer.headers['Location']}/files/part")
    assert (got.status_code, got.content) == (200, b"content")
    disposition = got.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="')
    assert disposition.isascii()
    assert outside(runtime) == before


def test_a_name_adds_no_header(runtime: Runtime) -> None:
    body, headers = form("part", 'a"; filename="evil.html', b"x")
    answer = runtime.http.post("/api/functions/echo", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    got = runtime.http.get(f"{answer.headers['Location']}/files/part")
    assert got.headers["Content-Disposition"].count('"') == 2


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript"])
def test_an_uploaded_page_is_served_as_a_download(runtime: Runtime, kind: str) -> None:
    evil = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    answer = runtime.http.post("/api/functions/echo", files={"page": ("page.html", evil, kind)})
    got = runtime.http.get(f"{answer.headers['Location']}/files/page")
    assert got.content == evil
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    policy = got.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy


def test_a_page_saved_by_a_function_is_served_as_a_download(runtime: Runtime) -> None:
    request = runtime.call("save_page", {"name": "page.html"})
    assert request["status"] == "completed", request
    got = runtime.http.get(f"/api/requests/{request['id']}/files/page.html")
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in got.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["../page.html", "/tmp/page.html", "a/b", "x" * 300, "a\nb"])
def test_a_function_cannot_save_outside_its_folder(runtime: Runtime, name: str) -> None:
    request = runtime.call("save_page", {"name": name})
    assert request["status"] == "failed"
    assert request["files"] == []


@pytest.mark.parametrize(
    "name",
    ["../../x", "..%2f..%2fx", "%2e%2e/%2e%2e/etc/passwd", "%00", "/etc/passwd", "..%5cx", "x" * 3000, "%ff%fe"],
)
def test_no_path_leaves_the_files_of_a_request(runtime: Runtime, name: str) -> None:
    request = runtime.call("echo", {})
    answer = runtime.http.get(f"/api/requests/{request['id']}/files/{name}")
    assert answer.status_code in (308, 400, 404, 414), answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path", ["/static/../infra/settings.py", "/..%2f..%2fetc/passwd", "/assets/%2e%2e/manifest.json"]
)
def test_no_path_leaves_the_pages(runtime: Runtime, path: str) -> None:
    answer = runtime.http.get(path)
    assert "root:" not in answer.text
    assert "SettingsError" not in answer.text


@pytest.mark.parametrize(
    "kind", ["text/\u20ac", "text/html; charset=x\x0bSet-Cookie: a=b", "nonsense", "a/" + "b" * 5000, "\x00/x"]
)
def test_an_invalid_content_type_is_not_sent_as_a_header(runtime: Runtime, kind: str) -> None:
    head = 'Content-Disposition: form-data; name="part"; filename="a.bin"'
    body = f"--x\r\n{head}\r\nContent-Type: {kind}\r\n\r\ncontent\r\n--x--\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = runtime.http.post("/api/functions/echo", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    got = runtime.http.get(f"{answer.headers['Location']}/files/part")
    assert (got.status_code, got.content) == (200, b"content")
    assert "Set-Cookie" not in got.headers
