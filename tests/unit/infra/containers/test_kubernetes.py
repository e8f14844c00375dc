"""Render the Kubernetes manifests, and check them: their schemas, their references, and how pods are confined."""

import json
import os
import re
from pathlib import Path

import click
import jsonschema
import pytest

from infra.cli.main import cli
from infra.config.declaration import declarations
from infra.config.network_access import NetworkAccess
from infra.config.setting_files.secret_files import SECRETS, SUFFIX
from infra.config.settings import NAMES, load
from tests.support.kubernetes.manifests import (
    BASE,
    KEDA,
    ROOT,
    Document,
    container_of,
    of_kind,
    pod_of,
    render,
    secret_mounts,
    workloads,
)

PARTS = {"web", "worker", "scheduler", "init"}
KEDA_SCHEMAS = ROOT / "tests" / "data" / "keda.json"
DOCUMENTED = ROOT / "docs" / "how-to" / "kubernetes.md"
KUBERNETES_VERSIONS = ("1.30", "1.35")
# Variables of others: AWS's tools.
FOREIGN = {"AWS_SHARED_CREDENTIALS_FILE"}


def the(kind: str, documents: list[Document], name: str | None = None) -> Document:
    (found,) = [each for each in of_kind(documents, kind) if name in (None, each["metadata"]["name"])]
    return found


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_manifests_fit_kubernetes_own_schemas(version: str) -> None:
    import kubernetes_validate

    own = [each for each in render(KEDA) if not each["apiVersion"].startswith("keda.sh/")]
    assert {each["kind"] for each in own} == {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "PodDisruptionBudget",
        "Service", "ServiceAccount",
    }  # fmt: skip
    for each in own:
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("kind", ["ScaledObject", "TriggerAuthentication"])
def test_the_scaling_fits_the_schema_of_keda(kind: str) -> None:
    document, schema = the(kind, render(KEDA)), json.loads(KEDA_SCHEMAS.read_text())[kind]
    jsonschema.validate(document, schema)
    misspelt = document | {"spec": document["spec"] | {"maxReplicas": 3}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(misspelt, schema)


def test_the_scaling_names_what_exists() -> None:
    documents = render(KEDA)
    scaled, login = the("ScaledObject", documents), the("TriggerAuthentication", documents)
    worker = workloads(documents)["worker"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    assert "replicas" not in worker["spec"], "an apply would set the number that KEDA has chosen back"
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    (secret,) = login["spec"]["secretTargetRef"]
    assert (secret["name"], secret["key"]) == ("localfn", "DATABASE_URL")
    # https://keda.sh/docs/2.18/scalers/postgresql/: `connection` comes from the secret.
    assert (trigger["type"], trigger["metadata"].keys()) == ("postgresql", {"query", "targetQueryValue"})
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA accepts strings only"
    assert trigger["metadata"]["targetQueryValue"] == settings_of("worker", documents)["LOCALFN_CONCURRENCY"]
    assert scaled["spec"]["minReplicaCount"] >= 1


def settings_of(part: str, documents: list[Document]) -> dict[str, str]:
    """Return the variables of a pod whose values do not come from a secret; each referenced ConfigMap exists."""
    container = container_of(workloads(documents)[part])
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= the("ConfigMap", documents, source["configMapRef"]["name"])["data"]
    return found | {each["name"]: each["value"] for each in container["env"] if "value" in each}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_variable_is_a_setting_and_the_pods_settings_are_valid(part: str, tmp_path: Path) -> None:
    documents = render(BASE)
    workload = workloads(documents)[part]
    secret = {each["name"]: "postgresql://u:p@h/d" for each in container_of(workload)["env"] if "valueFrom" in each}
    secret |= {name: "redis://:p@h" for name in secret if name == "REDIS_URL"}
    values = settings_of(part, documents)
    files = {f"{name}{SUFFIX}" for name in SECRETS}
    assert secret.keys() | values.keys() <= NAMES | files | FOREIGN
    mounts = secret_mounts(workload)
    for name, path in values.items():
        if name in files:
            folder, _, key = path.rpartition("/")
            assert folder in mounts.values(), f"{name} is in a mounted secret"
            assert key == name.removesuffix(SUFFIX)
            (tmp_path / name).write_text("redis://:p@h" if "REDIS" in name else "postgresql://u:p@h/d")
            values[name] = str(tmp_path / name)
    loaded = load({"SUPERUSER_USERNAME": "ada", **values, **secret} if part == "init" else values | secret, tmp_path)
    assert loaded.is_production
    assert (loaded.superuser_password is not None) == (part == "init"), "only the job gets the admin's password"


def test_workers_get_secrets_as_variables_that_functions_cannot_read_and_others_as_files() -> None:
    for part, workload in workloads(render(BASE)).items():
        from_secret = {each["name"] for each in container_of(workload)["env"] if "valueFrom" in each}
        expected = {"worker": {"DATABASE_URL", "REDIS_URL"}, "init": {"SUPERUSER_USERNAME"}}.get(part, set())
        assert from_secret == expected, part
        assert ("localfn" in secret_mounts(workload)) == (part != "worker")


def test_every_command_exists() -> None:
    for workload in workloads(render(BASE)).values():
        container = container_of(workload)
        probes = [
            container[each]["exec"]["command"]
            for each in container
            if each.endswith("Probe") and "exec" in container[each]
        ]
        for name, *words in [container["args"], *probes]:
            if name == "localfn":
                assert cli.get_command(click.Context(cli), words[0]) is not None
            else:
                assert not words
                assert (ROOT / "infra" / "docker" / name).stat().st_mode & 0o111


def test_every_long_running_pod_has_probes_and_an_outage_of_a_server_ends_none() -> None:
    for part, workload in workloads(render(BASE)).items():
        container = container_of(workload)
        if part == "web":
            ports = {each["name"] for each in container["ports"]}
            paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
            assert {name: each["path"] for name, each in paths.items()} == {
                "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
            }  # fmt: skip
            assert {each["port"] for each in paths.values()} <= ports
        elif part != "init":
            for probe in ("startupProbe", "livenessProbe"):
                assert container[probe]["exec"]["command"] == ["localfn", "alive"]


def test_pods_are_confined_and_bounded_in_everything() -> None:
    found = workloads(render(BASE))
    assert found.keys() == PARTS
    for part, workload in found.items():
        pod, container = pod_of(workload), container_of(workload)
        assert pod["serviceAccountName"] == the("ServiceAccount", render(BASE))["metadata"]["name"]
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert pod["securityContext"].items() >= {
            ("runAsNonRoot", True), ("runAsUser", 1000), ("runAsGroup", 1000), ("fsGroup", 1000),
        }  # fmt: skip
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        volumes = {each["name"]: each for each in pod["volumes"]}
        assert {each["name"] for each in container["volumeMounts"]} == volumes.keys()
        for volume in volumes.values():
            assert "secret" in volume or volume["emptyDir"]["sizeLimit"]
        assert container["resources"]["limits"].keys() >= {"cpu", "memory", "ephemeral-storage"}
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        if part != "init":
            keys = {each["topologyKey"] for each in pod["topologySpreadConstraints"]}
            assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def labels_of(workload: Document) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def test_every_selector_finds_exactly_the_pods_of_its_name() -> None:
    documents, found = render(BASE), workloads(render(BASE))
    for each in of_kind(documents, "Service", "PodDisruptionBudget", "Deployment"):
        selector = each["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        parts = {part for part, workload in found.items() if wanted.items() <= labels_of(workload).items()}
        assert parts == {each["metadata"]["name"].removeprefix("localfn-")}
        assert "app.kubernetes.io/name" in wanted, "pods of other applications are not selected"
    budgets = {each["metadata"]["name"] for each in of_kind(documents, "PodDisruptionBudget")}
    assert budgets == {f"localfn-{part}" for part in PARTS - {"init"}}
    scaled = the("HorizontalPodAutoscaler", documents)["spec"]["scaleTargetRef"]["name"]
    assert scaled == found["web"]["metadata"]["name"]
    assert "replicas" not in found["web"]["spec"], "an apply would set the number of the autoscaler back"


def test_the_ingress_leads_to_web_by_a_host_that_web_accepts() -> None:
    documents = render(BASE)
    ingress, service = the("Ingress", documents)["spec"], the("Service", documents)
    (rule,) = ingress["rules"]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {each["name"] for each in service["spec"]["ports"]}
    named = {each["name"] for each in container_of(workloads(documents)["web"])["ports"]}
    assert {each["targetPort"] for each in service["spec"]["ports"]} <= named
    assert [rule["host"]] == ingress["tls"][0]["hosts"] == [settings_of("web", documents)["LOCALFN_ALLOWED_HOSTS"]]
    assert "LOCALFN_ALLOWED_HOSTS" in {each.name for each in declarations(NetworkAccess)}


def test_only_web_can_be_reached_and_no_pod_reaches_the_cluster_or_the_clouds_metadata() -> None:
    documents = render(BASE)
    everything, web = (the("NetworkPolicy", documents, name)["spec"] for name in ("localfn", "localfn-web"))
    for workload in workloads(documents).values():
        assert everything["podSelector"]["matchLabels"].items() <= labels_of(workload).items()
    assert everything["podSelector"]["matchLabels"], "pods of other applications are not restricted"
    assert (everything["policyTypes"], everything.get("ingress")) == (["Ingress", "Egress"], None)
    blocks = [to["ipBlock"] for rule in everything["egress"] for to in rule["to"] if "ipBlock" in to]
    private = {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
    assert [set(each["except"]) for each in blocks if each["cidr"] == "0.0.0.0/0"] == [private]
    assert web["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "web"
    assert [each["port"] for rule in web["ingress"] for each in rule["ports"]] == ["http"]


def test_a_worker_gets_its_grace_time_before_sigkill() -> None:
    documents = render(BASE)
    grace_s = float(settings_of("worker", documents)["LOCALFN_GRACE_SECONDS"])
    assert pod_of(workloads(documents)["worker"])["terminationGracePeriodSeconds"] > grace_s


def test_the_documented_overlay_renders_and_sets_what_it_says(tmp_path: Path) -> None:
    text = re.search(r"```yaml\n(.*?)```", DOCUMENTED.read_text(), re.S)
    assert text is not None
    assert "infra/kubernetes/overlays/keda" in text[1]
    overlay = tmp_path / "deploy"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(text[1].replace("../localfn/", f"{os.path.relpath(ROOT, overlay)}/"))
    documents = render(overlay)
    for workload in workloads(documents).values():
        assert container_of(workload)["image"] == "registry.example.org/team/functions:1.4.0"
    settings = settings_of("worker", documents)
    assert settings["LOCALFN_FILES"] == "s3://team-files/localfn"
    assert settings["LOCALFN_GRACE_SECONDS"] == "60", "other settings stay"
    assert the("Ingress", documents)["spec"]["rules"][0]["host"] == settings["LOCALFN_ALLOWED_HOSTS"]
    assert str(the("NetworkPolicy", documents, "localfn")["spec"]["egress"]).count("10.20.0.") == 2
