"""Render the Kubernetes manifests as `kubectl apply -k` does."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "infra" / "kubernetes"
BASE, KEDA = FOLDER / "base", FOLDER / "overlays" / "keda"
WORKLOADS = ("Deployment", "Job")
KUBECTL = Path(sys.executable).parent / "kubectl"

Document = dict[str, Any]


@cache
def render(folder: Path) -> list[Document]:
    """Return the rendered documents of a kustomization."""
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "kustomize warns about deprecated fields"
    return list(yaml.safe_load_all(done.stdout))


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def workloads(documents: list[Document]) -> dict[str, Document]:
    """Return deployments and jobs by their component: web, worker, scheduler, init."""
    found = of_kind(documents, *WORKLOADS)
    return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each for each in found}


def pod_of(workload: Document) -> Document:
    pod: Document = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Document) -> Document:
    (container,) = pod_of(workload)["containers"]
    found: Document = container
    return found


def secret_mounts(workload: Document) -> dict[str, str]:
    """Return the folders at which secrets are mounted, by the secret's name."""
    secrets = {each["name"]: each["secret"]["secretName"] for each in pod_of(workload)["volumes"] if "secret" in each}
    mounts = container_of(workload)["volumeMounts"]
    return {secrets[each["name"]]: each["mountPath"] for each in mounts if each["name"] in secrets}
