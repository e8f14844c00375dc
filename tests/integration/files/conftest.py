"""Run the S3 server of these tests: moto's, or the server at LOCALSTACK_HOST."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support.runtime import free_port
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def s3_environ() -> Iterator[dict[str, str]]:
    """Yield the settings for S3: the emulator that the environment names, else one started here."""
    given = os.environ.get("LOCALSTACK_HOST")
    if given:
        yield {"LOCALSTACK_HOST": given}
        return
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/moto-api/").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, 60, "moto's server answers")
        yield {"AWS_ENDPOINT_URL": url}
        server.kill()
