"""Run one PostgreSQL and one Redis until stdin ends: `python embedded_servers.py FOLDER`.

When the test run ends, even by SIGKILL, the kernel closes the pipe, and the servers stop.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service

# A test database may be lost, and each test makes one. The log stays small, since it may be kept in memory.
NOT_DURABLE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_wal_size=128MB")


def start(service: Service) -> subprocess.Popen[bytes]:
    service.prepare()
    process = subprocess.Popen(service.command(), start_new_session=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    while not service.is_ready():
        if process.poll() is not None:
            raise SystemExit(f"{service.name} ended with {process.returncode}")
        time.sleep(0.01)
    return process


def stop(service: Service, process: subprocess.Popen[bytes]) -> None:
    for number, patience_s in service.stop_steps:
        process.send_signal(number)
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()


def main(folder: Path) -> None:
    services: list[Service] = [Postgres(folder, options=NOT_DURABLE), Redis(folder)]
    running: list[tuple[Service, subprocess.Popen[bytes]]] = []
    try:
        running.extend((service, start(service)) for service in services)
        print(json.dumps({service.name: service.url for service in services}), flush=True)
        sys.stdin.buffer.read()
    finally:
        for service, process in running:
            stop(service, process)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
