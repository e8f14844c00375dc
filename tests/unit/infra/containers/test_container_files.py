"""Check compose files, Dockerfiles and workflows: valid and secured."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from flask import Flask

from handlers.app import add_routes

ROOT = Path(__file__).parents[4]
COMPOSE = [ROOT / "docker-compose.local.yml", ROOT / "infra" / "docker" / "compose.production.yml"]
DOCKERFILES = [ROOT / "infra" / "docker" / name for name in ("Dockerfile", "spa.Dockerfile")]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent


def seconds(text: str) -> int:
    """Parse `45s`, also as the default of a variable."""
    found = re.search(r"(\d+)s?\}?$", text)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(("schema", "paths"), [("compose-spec", COMPOSE), ("github-workflows", WORKFLOWS)])
def test_files_fit_the_schema_of_their_program(schema: str, paths: list[Path]) -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_pass_hadolint_and_need_no_buildkit(path: Path) -> None:
    done = subprocess.run([BIN / "hadolint", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    content = path.read_text()
    assert "--mount" not in content
    assert "<<" not in content
    assert re.search(r"^USER 1000", content, re.M), "the image runs without root"
    for image in re.findall(r"^FROM (\S+)", content, re.M):
        assert re.fullmatch(r"\$\{\w+\}", image), "base images are build arguments"


def test_the_image_holds_no_examples() -> None:
    """Production runs only the operator's functions: the examples accept URLs and files of unknown users."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    examples = {path.name for path in (ROOT / "functions").iterdir() if path.name != "__pycache__"}
    assert {"hello.py", "examples"} <= examples
    assert {f"functions/{name}" for name in examples} <= set(ignored)


def test_settings_with_passwords_are_neither_in_the_image_nor_in_git() -> None:
    for name in (".dockerignore", ".gitignore"):
        lines = (ROOT / name).read_text().splitlines()
        assert {".env", "*.env", ".env.*", "!.env.example"} <= {line.replace("**/", "") for line in lines}


def test_the_image_of_the_examples_has_their_packages() -> None:
    build = yaml.safe_load(COMPOSE[0].read_text())["services"]["init"]["build"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(build["args"]["EXTRAS"].split(",")) == extras.keys()


def test_all_local_containers_share_one_volume_and_keep_boto3_local() -> None:
    compose = yaml.safe_load(COMPOSE[0].read_text())
    assert "data" in compose["volumes"]
    for name in ("init", "web", "worker", "scheduler", "rq-dashboard"):
        service = compose["services"][name]
        assert "data:/data" in service["volumes"], "the image declares /data: each container would get a volume"
        assert service["environment"]["AWS_ENDPOINT_URL"] == "http://localstack:4566"
        assert service["image"].startswith("${COMPOSE_PROJECT_NAME:-"), "two clones build different images"
        assert "container_name" not in service


def test_vite_passes_on_all_that_web_serves_besides_pages() -> None:
    app = Flask("localfn")
    add_routes(app)
    served = {f"/{str(rule).split('/')[1]}" for rule in app.url_map.iter_rules()} - {"/static"}
    listed = re.search(r"\[([^]]*)\]\.map\(\(path\)", (ROOT / "spa" / "vite.config.ts").read_text())
    assert listed is not None
    assert set(re.findall(r"'(/[^']+)'", listed[1])) == served | {"/rq"}


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_ports_are_on_loopback_and_services_wait_for_healthy_servers(path: Path) -> None:
    services = yaml.safe_load(path.read_text())["services"]
    for name, service in services.items():
        assert "privileged" not in service
        for port in service.get("ports", ()):
            assert port.startswith(("127.0.0.1:", "${BIND:-127.0.0.1}:")), name
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in ("service_healthy", "service_completed_successfully")
            assert how["condition"] != "service_healthy" or "healthcheck" in services[other]


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_every_base_image_of_a_build_is_chosen_by_a_variable(path: Path) -> None:
    services = yaml.safe_load(path.read_text())["services"].values()
    builds = [service["build"] for service in services if "build" in service]
    assert builds
    for build in builds:
        dockerfile = path.parent / build["context"] / build["dockerfile"]
        defaults = dict(re.findall(r"^ARG (\w+)=(\S+)", dockerfile.read_text(), re.M))
        images = {name: value for name, value in build["args"].items() if name.endswith("_IMAGE")}
        assert images == {name: f"${{{name}:-{image}}}" for name, image in defaults.items()}


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_worker_gets_its_grace_time_before_sigkill(path: Path) -> None:
    worker = yaml.safe_load(path.read_text())["services"]["worker"]
    assert seconds(worker["stop_grace_period"]) > seconds(worker["environment"]["LOCALFN_GRACE_SECONDS"])


def test_redis_in_production_has_a_password_without_a_default() -> None:
    services = yaml.safe_load(COMPOSE[1].read_text())["services"]
    needed = "${REDIS_PASSWORD:?set it in production.env}"
    redis = services["redis"]
    assert redis["command"][redis["command"].index("--requirepass") + 1] == needed
    assert redis["environment"]["REDISCLI_AUTH"] == needed
    assert "ports" not in redis
    for name in ("web-1", "web-2", "worker", "scheduler"):
        assert services[name]["environment"]["REDIS_URL"] == f"redis://:{needed}@redis:6379/0"


def test_the_examples_are_not_in_the_image_of_production() -> None:
    assert not re.search(r"^COPY.*\bfunctions\b", DOCKERFILES[0].read_text(), re.M)
    services = yaml.safe_load(COMPOSE[1].read_text())["services"]
    for name in ("web-1", "web-2", "worker", "scheduler"):
        assert "${FUNCTIONS:-functions}:/app/functions:ro" in services[name]["volumes"]
    local = yaml.safe_load(COMPOSE[0].read_text())["services"]
    for name in ("init", "web", "worker", "scheduler"):
        assert "./functions:/app/functions:ro" in local[name]["volumes"]
