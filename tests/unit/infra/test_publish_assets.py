"""Check that SPA assets with injected base URLs are published whole or not at all."""

import gzip
import json
import threading
from pathlib import Path

import pytest

from infra.spa_assets import BaseUrls, inject_base_urls, publish_assets

STATIC, API = "VITE_APP_STATIC_ROOT_PLACEHOLDER", "VITE_APP_API_ROOT_PLACEHOLDER"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(f'<script type="module" src="/{STATIC}/assets/index-Cafe1234.js"></script>')
    (folder / "assets" / "index-Cafe1234.js").write_text(f'const api="{API}",base="/{STATIC}/";')
    (folder / "assets" / "plain-Dead5678.js").write_text("export default 1;" * 200)
    (folder / "assets" / "font-Beef9012.woff2").write_bytes(API.encode())
    return folder


def text(current: Path | None, name: str) -> str:
    assert current is not None
    return (current / "files" / name).read_text()


@pytest.mark.parametrize(
    ("suffix", "source", "expected"),
    [
        (".js", f'"/{STATIC}/"+x', '"/t&s/"+x'),
        (".js", f"'{STATIC}assets'", "'/t&s/assets'"),
        (".js", f"`{API}/requests`", "`https://h/a&b/requests`"),
        (".css", f"url(/{STATIC}/a.png)", "url(/t&s/a.png)"),
        (".html", f'<a href="/{STATIC}/x">', '<a href="/t&amp;s/x">'),
        (".svg", f"<image href='{API}'/>", "<image href='https://h/a&amp;b'/>"),
        (".png", API, API),
    ],
)
def test_each_language_gets_the_roots_in_its_own_spelling(suffix: str, source: str, expected: str) -> None:
    assert inject_base_urls(suffix, source.encode(), "/t&s", "https://h/a&b").decode() == expected


def test_changed_values_are_injected_into_the_original_build(build: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
    first = publish_assets(tmp_path, BaseUrls("", "/api"), build, compress=False)
    assert text(first, "assets/index-Cafe1234.js") == 'const api="/api",base="/";'
    second = publish_assets(tmp_path, BaseUrls("/tools/localfn", "https://api.example.org"), build, compress=False)
    assert text(second, "assets/index-Cafe1234.js") == 'const api="https://api.example.org",base="/tools/localfn/";'
    assert 'src="/tools/localfn/assets/index-Cafe1234.js"' in text(second, "index.html")
    assert {path: path.read_bytes() for path in build.rglob("*") if path.is_file()} == before


def test_injected_files_are_revalidated_and_compressed_files_unpack_to_the_same(build: Path, tmp_path: Path) -> None:
    current = publish_assets(tmp_path, BaseUrls("", "/api"), build, compress=True)
    assert current is not None
    files = json.loads((current / "manifest.json").read_text())["files"]
    assert {name: entry["immutable"] for name, entry in files.items()} == {
        "index.html": False,
        "assets/index-Cafe1234.js": False,
        "assets/plain-Dead5678.js": True,
        "assets/font-Beef9012.woff2": True,
    }
    assert [name for name, entry in files.items() if entry["gzip"]] == ["assets/plain-Dead5678.js"]
    packed = (current / "files" / "assets" / "plain-Dead5678.js.gz").read_bytes()
    assert gzip.decompress(packed).decode() == text(current, "assets/plain-Dead5678.js")


def test_a_version_that_lost_a_file_is_made_again_and_the_one_before_the_last_goes(build: Path, tmp_path: Path) -> None:
    current = publish_assets(tmp_path, BaseUrls("", "/one"), build, compress=False)
    assert current is not None
    (current / "files" / "index.html").write_text("")
    (tmp_path / "spa" / "fresh").mkdir()  # left by a killed process
    publish_assets(tmp_path, BaseUrls("", "/one"), build, compress=False)
    assert "assets" in text(current, "index.html")
    for api in ("/two", "/three"):
        publish_assets(tmp_path, BaseUrls("", api), build, compress=False)
    assert len([path for path in (tmp_path / "spa").iterdir() if path.is_dir() and not path.is_symlink()]) == 2
    assert '"/three"' in text(current, "assets/index-Cafe1234.js")


def test_ten_parallel_publishers_leave_one_whole_version(build: Path, tmp_path: Path) -> None:
    threads = [
        threading.Thread(
            target=publish_assets, args=(tmp_path, BaseUrls("", f"/{number % 2}"), build), kwargs={"compress": True}
        )
        for number in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    current = publish_assets(tmp_path, BaseUrls("", "/1"), build, compress=True)
    assert '"/1"' in text(current, "assets/index-Cafe1234.js")


def test_without_a_build_nothing_is_made(tmp_path: Path) -> None:
    assert publish_assets(tmp_path, BaseUrls("", "/api"), tmp_path / "dist", compress=False) is None
    assert list(tmp_path.iterdir()) == []
