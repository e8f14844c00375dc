"""Start `localfn up` in the background, describe the `up` of a home, and stop it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.config.home import Home
from infra.config.listen_address import http_url
from infra.config.settings import Settings
from infra.errors import HomeError, InfraError, NotRunningError
from infra.supervisor.control_socket import VARIABLE, ControlSocket, startup_environment
from infra.supervisor.log_file import LogFile
from infra.supervisor.output import print_message
from infra.supervisor.pid_records import PidRecords
from infra.supervisor.termination import wait_until_ended
from infra.supervisor.up_record import UpRecord, find_up
from infra.up import announce
from workqueue.sandboxes.exits.exit_status import describe_exit

POLL_INTERVAL_S = 0.05
STOP_LIMIT_S = 30.0  # `up` stops within ten seconds, on a machine with time for it
TAIL_LINES = 20  # of the log of a failed start
PREFIX = "localfn: "  # of the line with which a failed `up` ends


class StopTimeoutError(InfraError):
    """`up` has not stopped in time."""

    exit_code = 124


class StartInterruptedError(InfraError):
    """Ctrl-C ended the wait for a start."""

    exit_code = 130


@dataclass(frozen=True)
class ProcessStatus:
    """Describe one process of `up`."""

    name: str
    pid: int
    since: str
    restarts: int


@dataclass(frozen=True)
class RuntimeStatus:
    """Describe the `up` of a home. state: `not running`, `starting`, `ready` or `stopping`. since: start time."""

    state: str
    url: str | None
    pid: int | None
    since: str | None
    home: str
    log: str | None
    processes: tuple[ProcessStatus, ...]


def start(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Start `up` in a session of its own, and return when it is ready. Raises InfraError with the reason if it fails.

    Ctrl-C meanwhile stops it. The end of the terminal does not. on_ready: called at the end.
    """
    home = Home(settings.home)
    home.make()
    if (running := find_up(home.root)) is not None:
        url = http_url(running.host, running.port)
        raise HomeError(f"localfn already runs with {home.root} on {url} (pid {running.pid}); `localfn down` stops it.")
    log = LogFile(home.root)
    log.skip_to_end()
    print_message(f"starting in the background; the log is {log.path}")
    control = ControlSocket(os.environ | {"HOST": settings.host, "PORT": str(settings.port)})
    process = _spawn(control, log)
    try:
        while not control.is_ready():
            if process.poll() is not None:
                raise _start_error(process.returncode, log)
            time.sleep(POLL_INTERVAL_S)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise StartInterruptedError("the start was interrupted, and nothing runs.") from None
    finally:
        control.close()
    announce(settings)
    on_ready()


def _spawn(control: ControlSocket, log: LogFile) -> subprocess.Popen[bytes]:
    with log.open() as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "localfn_runtime", "up"],
            env=startup_environment(os.environ) | {VARIABLE: str(control.fd)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(control.fd,),
            start_new_session=True,  # the end of the terminal sends SIGHUP to its session only
        )
    control.hand_over()
    return process


def _start_error(exit_code: int, log: LogFile) -> InfraError:
    """Print the end of the log, and return the error with the reason that `up` has printed."""
    lines = log.read_new()
    reason = next((line for line in reversed(lines) if line.startswith(PREFIX)), "") if exit_code > 0 else ""
    for line in lines[-TAIL_LINES:]:
        if line != reason:
            sys.stderr.write(f"{line}\n")
    detail = reason.removeprefix(PREFIX) or f"it {describe_exit(exit_code)} before it was ready."
    error = InfraError(f"the start failed: {detail}")
    error.exit_code = max(exit_code, 1)
    return error


def stop(settings: Settings) -> UpRecord:
    """Stop the `up` of the home as Ctrl-C does, and wait for its end. Raises NotRunningError, StopTimeoutError."""
    record = find_up(settings.home)
    process = record.process() if record is not None else None
    if record is None or process is None:
        raise NotRunningError(f"no `localfn up` runs with {settings.home}.")
    process.terminate()
    if wait_until_ended([process], STOP_LIMIT_S):
        hint = f"`kill -9 {record.pid}` ends it with all its processes"
        raise StopTimeoutError(f"localfn (pid {record.pid}) has not stopped within {STOP_LIMIT_S:g} s; {hint}.")
    return record


def read_status(settings: Settings) -> RuntimeStatus:
    """Return the state of the `up` of the home, and its running processes."""
    home, record = settings.home, find_up(settings.home)
    if record is None:
        log = LogFile(home).path
        return RuntimeStatus("not running", None, None, None, str(home), str(log) if log.exists() else None, ())
    processes = tuple(
        ProcessStatus(name, found.pid, _time(found.create_time), found.restarts)
        for name, found in PidRecords(home / "run").find_running().items()
    )
    url = http_url(record.host, record.port)
    return RuntimeStatus(record.state, url, record.pid, _time(record.create_time), str(home), record.log, processes)


def _time(created: float) -> str:
    """Return a start time as a time of the API."""
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
