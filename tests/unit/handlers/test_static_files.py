"""Check how the SPA is served: cache times, URLs that are pages, and the content security policy."""

from pathlib import Path

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient

from handlers.http import problems
from handlers.spa.static_files import SpaConfig, StaticFiles
from infra.spa_assets import BaseUrls, publish_assets

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HASHED = "/assets/plain-Dead5678.js"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<base href="/VITE_APP_STATIC_ROOT_PLACEHOLDER/"><h1>the spa</h1>')
    (folder / HASHED[1:]).write_text("export default 1;" * 200)
    return folder


def client_of(folder: Path, spa: SpaConfig | None = None) -> FlaskClient:
    app = Flask("test", static_folder=None)
    problems.install(app)
    StaticFiles(spa or SpaConfig(folder / "spa" / "current")).install(app)
    app.add_url_rule("/api/things", "things", lambda: jsonify([]))
    return app.test_client()


@pytest.fixture
def client(build: Path, tmp_path: Path) -> FlaskClient:
    publish_assets(tmp_path, BaseUrls("", "/api"), build, compress=True)
    return client_of(tmp_path)


@pytest.mark.parametrize("path", ["/", "/requests", "/requests/01a2/logs", "/login?next=%2F"])
def test_every_url_of_the_spa_serves_a_page_that_is_revalidated(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "the spa" in answer.text
    assert answer.headers["Cache-Control"] == "no-cache"
    assert client.get(path, headers=HTML | {"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/api/nothing", "/healthz/x", "/assets/gone-12345678.js", "/metrics/x"])
def test_a_path_outside_the_spa_stays_an_error(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_only_clients_that_accept_html_get_a_page(client: FlaskClient) -> None:
    assert client.get("/nothing", headers={"Accept": "*/*"}).status_code == 404
    assert client.post("/nothing", headers=HTML).status_code == 404
    assert client.post("/api/things", headers=HTML).status_code == 405


@pytest.mark.parametrize(
    "path", ["/../secret", "/..%2fsecret", "/manifest.json", "/assets/..%2f..%2fmanifest.json", "//etc/passwd"]
)
def test_nothing_but_the_files_of_the_build_is_served(client: FlaskClient, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    assert client.get(path).status_code in (404, 308)


def test_hashed_files_are_cached_for_ever_and_compressed_on_request(client: FlaskClient) -> None:
    plain = client.get(HASHED)
    packed = client.get(HASHED, headers={"Accept-Encoding": "gzip"})
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.mimetype == "text/javascript"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert len(packed.data) < len(plain.data)


def test_a_page_may_load_nothing_that_is_not_its_own(client: FlaskClient) -> None:
    for path in ("/", HASHED):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'self';" in policy
        assert "unsafe" not in policy


def test_an_api_elsewhere_may_be_asked(build: Path, tmp_path: Path) -> None:
    publish_assets(tmp_path, BaseUrls("", "https://api.example.org"), build, compress=True)
    spa = SpaConfig(tmp_path / "spa" / "current", api_origin="https://api.example.org")
    policy = client_of(tmp_path, spa).get("/").headers["Content-Security-Policy"]
    assert "connect-src 'self' https://api.example.org;" in policy


def test_a_new_version_is_served_as_soon_as_it_is_published(client: FlaskClient, build: Path, tmp_path: Path) -> None:
    before = client.get("/").headers["ETag"]
    publish_assets(tmp_path, BaseUrls("/other", "/api"), build, compress=True)
    after = client.get("/")
    assert 'href="/other/"' in after.text
    assert after.headers["ETag"] != before


def test_below_a_sub_path_page_files_and_api_answer_with_and_without_it(build: Path, tmp_path: Path) -> None:
    publish_assets(tmp_path, BaseUrls("/tools/localfn", "/tools/localfn/api"), build, compress=True)
    client = client_of(tmp_path, SpaConfig(tmp_path / "spa" / "current", path="/tools/localfn"))
    for base in ("", "/tools/localfn"):
        assert "the spa" in client.get(f"{base}/", headers=HTML).text
        assert "the spa" in client.get(f"{base}/requests", headers=HTML).text
        assert client.get(f"{base}{HASHED}").status_code == 200
        assert client.get(f"{base}/api/things").json == []
    assert client.get("/tools/localfnx/api/things").status_code == 404


def test_a_missing_build_of_the_spa_is_reported(tmp_path: Path) -> None:
    answer = client_of(tmp_path).get("/")
    assert answer.status_code == 200
    assert "is not built" in answer.text
