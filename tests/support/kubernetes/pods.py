"""Run the pods of the Kubernetes manifests as containers of Docker: with their user, mounts, limits, variables, probes.

The manifests drive it: what a pod gets here is what its manifest says, so neither can drift.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.support.kubernetes.manifests import Document, container_of, of_kind, pod_of
from tests.support.waiting import wait_until

UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}


def docker(*words: str, check: bool = True, stdin: str = "") -> str:
    """Run a command of Docker; return what it prints."""
    done = subprocess.run(["docker", *words], input=stdin, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0 or not check, f"docker {' '.join(words)}: {done.stderr}{done.stdout}"
    return done.stdout.strip()


def in_bytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w*)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * UNITS.get(unit, 1)


def in_cores(quantity: str) -> float:
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def service_links(documents: list[Document]) -> dict[str, str]:
    """Return the variables that Kubernetes sets in a pod for each Service, unless enableServiceLinks is false."""
    found = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_PORT": "tcp://10.96.0.1:443"}
    for service in of_kind(documents, "Service"):
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        (port,) = service["spec"]["ports"]
        number, address = str(port["port"]), "10.96.12.7"
        found |= {
            f"{prefix}_SERVICE_HOST": address,
            f"{prefix}_SERVICE_PORT": number,
            f"{prefix}_SERVICE_PORT_{port['name'].upper()}": number,
            f"{prefix}_PORT": f"tcp://{address}:{number}",
            f"{prefix}_PORT_{number}_TCP": f"tcp://{address}:{number}",
            f"{prefix}_PORT_{number}_TCP_PROTO": "tcp",
            f"{prefix}_PORT_{number}_TCP_PORT": number,
            f"{prefix}_PORT_{number}_TCP_ADDR": address,
        }
    return found


@dataclass
class Pod:
    """Control the container of a pod."""

    id: str
    manifest: Document

    def execute(self, *words: str) -> tuple[int, str]:
        """Run a command in the container, as a probe of kind exec does; return its exit code and output."""
        done = subprocess.run(["docker", "exec", self.id, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def address(self) -> str:
        networks = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", self.id))
        return str(next(iter(networks.values()))["IPAddress"])

    def url(self) -> str:
        (port,) = container_of(self.manifest)["ports"]
        return f"http://{self.address()}:{port['containerPort']}"

    def probe(self, name: str) -> bool:
        """Run a probe of the manifest once: startup, liveness or readiness."""
        probe = container_of(self.manifest)[f"{name}Probe"]
        if "exec" in probe:
            return self.execute(*probe["exec"]["command"])[0] == 0
        headers = {each["name"]: each["value"] for each in probe["httpGet"]["httpHeaders"]}
        try:
            url = self.url() + probe["httpGet"]["path"]
            return httpx.get(url, headers=headers, timeout=probe.get("timeoutSeconds", 1)).is_success
        except httpx.TransportError:
            return False

    def wait_started(self) -> None:
        """Wait as long as Kubernetes does before it restarts the container."""
        probe = container_of(self.manifest)["startupProbe"]
        wait_until(lambda: self.probe("startup"), probe["periodSeconds"] * probe["failureThreshold"], self.logs())

    def stop(self) -> int:
        """Stop the container as Kubernetes does; return its exit code."""
        docker("stop", "--time", str(pod_of(self.manifest)["terminationGracePeriodSeconds"]), self.id)
        return self.wait()

    def wait(self) -> int:
        return int(docker("wait", self.id))

    def logs(self) -> str:
        return docker("logs", self.id)


class Namespace:
    """Hold the containers, the network and the secrets of one run. secrets: the contents of each secret's keys."""

    def __init__(
        self,
        documents: list[Document],
        image: str,
        functions: Path,
        folder: Path,
        secrets: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._documents, self._image, self._functions, self._secrets = documents, image, functions, secrets
        self._folder = folder
        self.name = f"localfn-pods-{uuid4().hex[:8]}"
        self._containers: list[str] = []
        docker("network", "create", self.name)
        for name, values in secrets.items():
            (folder / name).mkdir()
            for key, value in values.items():
                (folder / name / key).write_text(value)

    def run_server(self, name: str, *words: str) -> str:
        """Start a server, which pods reach by its name."""
        self._containers.append(docker("run", "-d", "--network", self.name, "--network-alias", name, *words))
        return self._containers[-1]

    def run(self, workload: Document) -> Pod:
        words = [*self._confinement(workload), *self._mounts(workload), *self._variables(workload)]
        words += ["-v", f"{self._functions}:/app/functions:ro"]  # an image of functions contains them
        container = docker("run", "-d", "--network", self.name, *words, self._image, *container_of(workload)["args"])
        self._containers.append(container)
        return Pod(container, workload)

    def close(self) -> None:
        for container in self._containers:
            docker("rm", "--force", "--volumes", container)
        docker("network", "rm", self.name)

    def _confinement(self, workload: Document) -> list[str]:
        pod, container = pod_of(workload), container_of(workload)
        user, limits = pod["securityContext"], container["resources"]["limits"]
        words = ["--user", f"{user['runAsUser']}:{user['runAsGroup']}", "--group-add", str(user["fsGroup"])]
        cores = min(in_cores(limits["cpu"]), os.cpu_count() or 1)  # Docker refuses more than the machine has
        words += [f"--cpus={cores}", f"--memory={in_bytes(limits['memory'])}"]
        security = container["securityContext"]
        words += [f"--cap-drop={each}" for each in security["capabilities"]["drop"]]
        words += ["--read-only"] if security["readOnlyRootFilesystem"] else []
        return words if security["allowPrivilegeEscalation"] else [*words, "--security-opt=no-new-privileges"]

    def _mounts(self, workload: Document) -> list[str]:
        volumes = {each["name"]: each for each in pod_of(workload)["volumes"]}
        user = pod_of(workload)["securityContext"]
        words = []
        for mount in container_of(workload)["volumeMounts"]:
            volume, target = volumes[mount["name"]], mount["mountPath"]
            if "emptyDir" in volume:
                size = in_bytes(volume["emptyDir"]["sizeLimit"])
                options = f"size={size},uid={user['runAsUser']},gid={user['fsGroup']},mode=0770,exec"
                words += ["--tmpfs", f"{target}:{options}"]
            elif volume["secret"]["secretName"] in self._secrets:
                words += ["-v", f"{self._folder / volume['secret']['secretName']}:{target}:ro"]
            else:
                assert volume["secret"].get("optional"), f"secret {volume['secret']} is missing"
        return words

    def _variables(self, workload: Document) -> list[str]:
        container: dict[str, Any] = container_of(workload)
        found = service_links(self._documents)
        for source in container["envFrom"]:
            name = source["configMapRef"]["name"]
            (data,) = [
                each["data"] for each in of_kind(self._documents, "ConfigMap") if each["metadata"]["name"] == name
            ]
            found |= data
        for each in container["env"]:
            secret = each.get("valueFrom", {}).get("secretKeyRef")
            found[each["name"]] = self._secrets[secret["name"]][secret["key"]] if secret else each["value"]
        return [word for name, value in found.items() for word in ("-e", f"{name}={value}")]
