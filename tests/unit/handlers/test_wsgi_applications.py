"""Check that each HTTP application is created and secured in one place."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

import handlers
import infra
from infra.config import settings
from infra.errors import SettingsError
from infra.processes import dashboard
from tests.support.runtime import free_port

ROOT = Path(infra.__file__).parent.parent
SOURCES = [
    path for folder in ("handlers", "infra", "queue", "schema", "seed") for path in (ROOT / folder).rglob("*.py")
]
# Callables that make an application or a server.
MAKERS = frozenset(
    {"Flask", "Server", "BaseApplication", "run_simple", "make_server", "HTTPServer", "ThreadingHTTPServer"}
)
ALLOWED = {
    ("handlers/security/secured_app.py", "Flask"),  # the only application
    ("infra/processes/web.py", "Server"),  # gunicorn, serves that application
    ("infra/processes/dashboard.py", "Server"),
    ("infra/processes/debug_server.py", "run_simple"),  # serves the web application
}
FRAMEWORKS = frozenset({"aiohttp", "bottle", "fastapi", "http.server", "quart", "socketserver", "starlette", "wsgiref"})


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    """Return the calls, classes and imports with their paths, of all sources that hold one of the searched names."""
    kinds = (ast.Call, ast.ClassDef, ast.Import, ast.ImportFrom)
    searched = MAKERS | FRAMEWORKS | {"Blueprint"}
    texts = {path: path.read_text() for path in SOURCES}
    found = {path: text for path, text in texts.items() if any(name in text for name in searched)}
    trees = ((str(path.relative_to(ROOT)), ast.parse(text)) for path, text in found.items())
    return [(path, node) for path, tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]


def test_only_one_place_makes_an_application(nodes: list[tuple[str, ast.AST]]) -> None:
    found = set()
    for path, node in nodes:
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in MAKERS:
                found.add((path, name))
    assert found == ALLOWED


def test_no_class_is_an_application_and_no_other_framework_serves(nodes: list[tuple[str, ast.AST]]) -> None:
    for path, node in nodes:
        if isinstance(node, ast.ClassDef):
            bases = {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
            assert not bases & {"Flask", "Blueprint"}, (path, node.name)
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not FRAMEWORKS & set(modules), (path, modules)


@pytest.fixture
def alone(tmp_path: Path) -> Flask:
    environ = {"REDIS_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    return dashboard.make_app(settings.load(environ, tmp_path))


@pytest.mark.parametrize("path", ["/rq/", "/rq/0/data/queues.json", "/rq/static/css/main.css", "/nothing", "/"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:9181", "10.0.0.1", "127.0.0.1.evil.example", ""])
def test_the_dashboard_alone_rejects_other_hosts(alone: Flask, path: str, host: str) -> None:
    answer = alone.test_client().get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert "Host" in answer.text


def test_the_dashboard_alone_rejects_other_origins_and_changes(alone: Flask) -> None:
    http = alone.test_client()
    assert http.get("/rq/0/data/queues.json", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert http.post("/rq/queue/default/queued/empty", headers={"Origin": "https://evil.example"}).status_code == 403
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert http.open("/rq/queue/default/queued/empty", method=method).status_code == 405
    answer = http.get("/rq/static/css/main.css")
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_dashboard_has_no_login_and_listens_on_the_loopback_only(tmp_path: Path) -> None:
    environ = {"REDIS_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    here = settings.load(environ | {"PORT": str(free_port())}, tmp_path)
    dashboard.check_settings(here)
    for host in ("0.0.0.0", "::", "192.168.1.5", "tools.example"):
        with pytest.raises(SettingsError, match="no login"):
            dashboard.check_settings(replace(here, host=host))
    dashboard.check_settings(replace(settings.load(environ | {"LOCALFN_INSECURE": "1"}, tmp_path), host="0.0.0.0"))


def test_the_package_of_handlers_is_searched() -> None:
    assert Path(handlers.__file__) in SOURCES
    assert len(SOURCES) > 100
