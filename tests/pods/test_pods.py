"""Run the pods of the Kubernetes manifests in Docker, with their image, against real servers.

It needs a Docker engine and a built image: `LOCALFN_TEST_IMAGE=localfn ./dev test tests/pods`. Without it there is
nothing to run.
"""

import os
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.kubernetes.manifests import KEDA, Document, render, workloads
from tests.support.kubernetes.pods import Namespace, Pod, docker
from tests.support.waiting import wait_until

IMAGE = os.environ.get("LOCALFN_TEST_IMAGE", "")
POSTGRES, REDIS, S3 = (
    os.environ.get(f"{name}_IMAGE", default)
    for name, default in (("POSTGRES", "postgres:17"), ("REDIS", "redis:7"), ("LOCALSTACK", "localstack/localstack"))
)
PASSWORD = "p@ss/word:1"
SECRETS = {
    "localfn": {
        "DATABASE_URL": "postgresql://localfn:p%40ss%2Fword%3A1@postgres:5432/localfn\n",
        "REDIS_URL": "redis://redis:6379/0\n",
    },
    "localfn-admin": {"SUPERUSER_USERNAME": "admin", "SUPERUSER_PASSWORD": "correct horse\n"},
    "localfn-s3": {"credentials": "[default]\naws_access_key_id = test\naws_secret_access_key = test\n"},
}
# What an operator's overlay sets, here for the bucket of an emulator.
OVERLAY = """
resources: [{keda}]
configMapGenerator:
  - name: localfn
    behavior: merge
    literals: [LOCALFN_FILES=s3://files/localfn, AWS_ENDPOINT_URL=http://s3:4566, LOCALFN_GRACE_SECONDS=20]
"""
FUNCTION = """
import pathlib, time
from localfn import Context, function

@function
def greet(event: dict, context: Context) -> dict:
    (context.workdir / "greeting.txt").write_text("hello")
    context.save_file(context.workdir / "greeting.txt")
    return {"hello": event["name"]}

@function
def nap(event: dict, context: Context) -> str:
    time.sleep(event["seconds"])
    return "rested"

@function
def read(event: dict, context: Context) -> str:
    return ascii(pathlib.Path(event["path"]).read_bytes())
"""

OUTAGE_S = 15.0  # longer than a turn of the pool's loop may take

pytestmark = [
    pytest.mark.skipif(not IMAGE, reason="LOCALFN_TEST_IMAGE names no image"),
    pytest.mark.timeout(900),
]


class Cluster:
    """Hold the pods of one namespace by their component, and the ids of the servers."""

    def __init__(self, namespace: Namespace, documents: list[Document]) -> None:
        self.workloads = workloads(documents)
        self.servers = {
            "postgres": namespace.run_server(
                "postgres", "-e", "POSTGRES_USER=localfn", "-e", "POSTGRES_DB=localfn", "-e",
                f"POSTGRES_PASSWORD={PASSWORD}", POSTGRES,
            ),
            "redis": namespace.run_server("redis", REDIS),
            "s3": namespace.run_server("s3", S3),
        }  # fmt: skip
        self.namespace = namespace
        self.pods: dict[str, Pod] = {}
        self.key = ""

    def start(self, part: str) -> Pod:
        self.pods[part] = self.namespace.run(self.workloads[part])
        return self.pods[part]

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}", "Host": "localfn.example.org", "X-Forwarded-Proto": "https"}
        return httpx.Client(base_url=self.pods["web"].url(), headers=headers, timeout=70)

    def call(self, function: str, event: object) -> httpx.Response:
        with self.http() as http:
            return http.post(f"/api/functions/{function}", json=event, headers={"Prefer": "wait=60"})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("pods")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # the account of the pods reads the secrets
    (folder / "deploy").mkdir()
    (folder / "deploy" / "kustomization.yaml").write_text(OVERLAY.format(keda=os.path.relpath(KEDA, folder / "deploy")))
    (folder / "functions").mkdir()
    (folder / "functions" / "pods.py").write_text(FUNCTION)
    documents = render(folder / "deploy")
    namespace = Namespace(documents, IMAGE, folder / "functions", folder, SECRETS)
    try:
        made = Cluster(namespace, documents)
        wait_until(lambda: is_open(made), 60, "S3 answers")
        make_bucket(made)
        job = made.start("init")
        assert job.wait() == 0, job.logs()
        for part in ("web", "worker", "scheduler"):
            made.start(part)
        for part in ("web", "worker", "scheduler"):
            made.pods[part].wait_started()
        wait_until(lambda: made.pods["web"].probe("readiness"), 60, "web is ready")
        code, key = made.pods["web"].execute(
            "localfn", "keys", "create", "pods", "--scope", "invoke", "--scope", "read", "--scope", "manage"
        )
        assert code == 0, key
        made.key = next(word for word in key.split() if word.startswith("lfn_"))
        yield made
    finally:
        namespace.close()


def in_network(cluster: Cluster, code: str) -> str:
    """Run Python of the image in the namespace, with the credentials of the emulator."""
    keys = ["-e", "AWS_ACCESS_KEY_ID=test", "-e", "AWS_SECRET_ACCESS_KEY=test", "-e", "AWS_DEFAULT_REGION=us-east-1"]
    words = ["--network", cluster.namespace.name, *keys, "--entrypoint", "python", IMAGE, "-c", code]
    return docker("run", "--rm", *words, check=False)


def is_open(cluster: Cluster) -> bool:
    code = "import socket; socket.create_connection(('s3', 4566), 2); print('open')"
    return in_network(cluster, code).endswith("open")


def make_bucket(cluster: Cluster) -> None:
    client = "boto3.client('s3', endpoint_url='http://s3:4566')"
    code = f"import boto3; {client}.create_bucket(Bucket='files'); print('made')"
    assert in_network(cluster, code) == "made"


def test_a_request_runs_and_its_file_is_stored(cluster: Cluster) -> None:
    answer = cluster.call("greet", {"name": "pods"})
    assert (answer.status_code, answer.json()["status"]) == (200, "completed"), answer.text
    with cluster.http() as http:
        assert http.get(f"/api/requests/{answer.json()['id']}/files/greeting.txt").text == "hello"


def test_pods_are_confined_as_their_manifests_say(cluster: Cluster) -> None:
    for part, pod in cluster.pods.items():
        if part == "init":
            continue
        assert pod.execute("id", "-u") == (0, "1000\n")
        assert pod.execute("touch", "/app/x")[0] != 0
        assert pod.execute("sh", "-c", "touch /tmp/x && touch /data/x")[0] == 0
        assert pod.execute("sh", "-c", "grep CapEff /proc/1/status") == (0, "CapEff:\t0000000000000000\n")
        assert "correct horse" not in pod.execute("sh", "-c", "cat /proc/self/environ /run/secrets/*/*")[1]


def test_functions_cannot_read_the_addresses_of_the_servers(cluster: Cluster) -> None:
    for path in ("/proc/self/environ", "/proc/1/environ", "/run/secrets/localfn/DATABASE_URL"):
        answer = cluster.call("read", {"path": path})
        text = answer.text
        with cluster.http() as http:
            text += http.get(f"/api/requests/{answer.json()['id']}/result").text
        assert "p%40ss" not in text
        assert answer.json()["status"] == ("completed" if path == "/proc/self/environ" else "failed"), text


def test_processes_follow_the_processor_limit_of_their_pod(cluster: Cluster) -> None:
    code = "import os; from infra.config.capacity import cores; print(cores(), os.cpu_count())"
    for part in ("web", "worker", "scheduler"):
        limit = int(cluster.workloads[part]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
        status, text = cluster.pods[part].execute("python", "-c", code)
        assert status == 0, text
        found, machine = map(int, text.split())
        assert found == min(limit, machine), part


def test_an_outage_of_both_servers_restarts_no_pod(cluster: Cluster) -> None:
    for server in ("postgres", "redis"):
        docker("pause", cluster.servers[server])
    try:
        wait_until(lambda: not cluster.pods["web"].probe("readiness"), 60, "web cannot accept")
        ends_at = time.monotonic() + OUTAGE_S
        while time.monotonic() < ends_at:
            assert all(cluster.pods[part].probe("liveness") for part in ("web", "worker", "scheduler"))
    finally:
        for server in ("postgres", "redis"):
            docker("unpause", cluster.servers[server])
    wait_until(lambda: cluster.pods["web"].probe("readiness"), 60, "web is ready again")
    assert cluster.call("greet", {"name": "again"}).json()["status"] == "completed"


def test_a_frozen_pool_fails_its_liveness_probe(cluster: Cluster) -> None:
    worker = cluster.pods["worker"]
    docker("kill", "--signal", "STOP", worker.id)
    try:
        wait_until(lambda: not worker.probe("liveness"), 60, "the probe fails")
        assert worker.execute("localfn", "alive")[1].startswith("pool hangs: no turn for ")
    finally:
        docker("kill", "--signal", "CONT", worker.id)
    wait_until(lambda: worker.probe("liveness"), 30, "the probe succeeds again")


def test_a_stopped_worker_finishes_its_request_and_all_pods_end_in_order(cluster: Cluster) -> None:
    with cluster.http() as http:
        request = http.post("/api/functions/nap", json={"seconds": 3}).json()["id"]
        wait_until(lambda: http.get(f"/api/requests/{request}").json()["phase"] == "process", 30, "it runs")
        assert cluster.pods["worker"].stop() == 0, cluster.pods["worker"].logs()
        assert http.get(f"/api/requests/{request}").json()["status"] == "completed"
    for part in ("scheduler", "web"):
        assert cluster.pods[part].stop() == 0, cluster.pods[part].logs()
