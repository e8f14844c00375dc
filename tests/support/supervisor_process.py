"""Run a supervisor with small children as a separate process: `python supervisor_process.py FOLDER STAGES`.

STAGES is JSON: a list of stages, each a list of {"name", "code", "patience_s"}. A child is ready when the file
FOLDER/NAME.ready exists. The process prints `all ready`, then runs until a signal stops it.
"""

import json
import signal
import sys
from pathlib import Path

from infra.errors import InfraError
from infra.supervisor.child import ChildSpec
from infra.supervisor.pid_records import PidRecords
from infra.supervisor.supervisor import StopRequested, Supervisor


def spec_of(child: dict[str, str], folder: Path) -> ChildSpec:
    return ChildSpec(
        name=child["name"],
        command=lambda: (sys.executable, "-u", "-c", child["code"], str(folder), child["name"]),
        is_ready=(folder / f"{child['name']}.ready").exists,
        stop_steps=((signal.SIGTERM, float(child.get("patience_s", 5))),),
        hurried_step=(signal.SIGUSR1, 5.0) if child.get("is_hurried") else None,
    )


def main(folder: Path, stages: list[list[dict[str, str]]]) -> None:
    try:
        with Supervisor(PidRecords(folder)) as supervisor:
            for stage in stages:
                supervisor.start_stage([spec_of(child, folder) for child in stage], timeout_s=10)
            print("all ready", flush=True)
            supervisor.run()
    except StopRequested:
        return
    except InfraError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
