"""Check compose files, Dockerfiles, Kubernetes manifests and workflows: valid and secured."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
COMPOSE = [ROOT / "docker-compose.local.yml", ROOT / "infra" / "docker" / "compose.production.yml"]
DOCKERFILES = [ROOT / "infra" / "docker" / name for name in ("Dockerfile", "spa.Dockerfile")]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MANIFESTS = ROOT / "infra" / "kubernetes"
BIN = Path(sys.executable).parent


def documents() -> list[dict[str, Any]]:
    return [found for path in MANIFESTS.glob("*.yaml") for found in yaml.safe_load_all(path.read_text())]


def pods() -> list[dict[str, Any]]:
    return [found["spec"]["template"]["spec"] for found in documents() if found["kind"] == "Deployment"]


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
        assert build["args"] == {name: f"${{{name}:-{image}}}" for name, image in defaults.items()}


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_worker_gets_its_grace_time_before_sigkill(path: Path) -> None:
    worker = yaml.safe_load(path.read_text())["services"]["worker"]
    assert seconds(worker["stop_grace_period"]) > seconds(worker["environment"]["LOCALFN_GRACE_SECONDS"])


def test_manifests_fit_kubernetes_own_schemas() -> None:
    import kubernetes_validate

    ours = [found for found in documents() if "keda" not in found["apiVersion"]]
    kinds = {"ConfigMap", "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy"}
    assert {found["kind"] for found in ours} == kinds
    for found in ours:
        kubernetes_validate.validate(found, "1.30", strict=True)


def test_pods_need_no_root_and_workers_get_their_grace_time() -> None:
    assert len(pods()) == 3
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert not container["securityContext"]["allowPrivilegeEscalation"]
    (settings,) = [found["data"] for found in documents() if found["kind"] == "ConfigMap"]
    (worker,) = [pod for pod in pods() if pod["containers"][0]["args"] == ["start-worker"]]
    assert worker["terminationGracePeriodSeconds"] > float(settings["LOCALFN_GRACE_SECONDS"])


def test_pods_have_no_token_of_the_cluster_and_a_bound_for_everything() -> None:
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for volume in pod["volumes"]:
            assert volume["emptyDir"]["sizeLimit"], volume
        for container in pod["containers"]:
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["limits"])
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def is_selected(labels: dict[str, str], selector: dict[str, Any]) -> bool:
    expressions = selector.get("matchExpressions", ())
    return selector["matchLabels"].items() <= labels.items() and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"] for each in expressions
    )


def test_every_pod_has_a_network_policy_and_functions_reach_no_address_of_the_cluster() -> None:
    policies = [found["spec"] for found in documents() if found["kind"] == "NetworkPolicy"]
    private = {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
    for deployment in (found["spec"]["template"] for found in documents() if found["kind"] == "Deployment"):
        labels = deployment["metadata"]["labels"]
        (policy,) = [each for each in policies if is_selected(labels, each["podSelector"])]
        assert "Ingress" in policy["policyTypes"]
        if labels["app.kubernetes.io/component"] != "web":
            assert "Egress" in policy["policyTypes"]
            assert "ingress" not in policy, "no client calls it"
            blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]
            assert [set(block["except"]) for block in blocks if block["cidr"] == "0.0.0.0/0"] == [private]


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


def test_keda_scales_the_deployment_of_workers() -> None:
    """Check the fields that KEDA requires; its schema exists only as a resource of a cluster."""
    (scaled,) = [found for found in documents() if found["kind"] == "ScaledObject"]
    (login,) = [found for found in documents() if found["kind"] == "TriggerAuthentication"]
    deployments = {found["metadata"]["name"] for found in documents() if found["kind"] == "Deployment"}
    assert scaled["spec"]["scaleTargetRef"]["name"] in deployments
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert {"host", "port", "userName", "dbName", "sslmode", "query", "targetQueryValue"} == set(trigger["metadata"])
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA accepts strings only"
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    assert scaled["spec"]["minReplicaCount"] >= 1
