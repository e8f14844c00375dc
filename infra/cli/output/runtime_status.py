"""Print the status of `localfn up`, and the lines of its log."""

import time

from infra.background import RuntimeStatus
from infra.cli.output.formatting import local_time, relative_time
from infra.cli.output.tables import Column, format_fields, format_table, print_data
from infra.config.settings import Settings
from infra.errors import InfraError
from infra.supervisor.log_file import LogFile
from infra.supervisor.up_record import find_up

FOLLOW_INTERVAL_S = 0.2
COLUMNS = (Column("PROCESS"), Column("PID"), Column("RESTARTS"), Column("SINCE"))


class NoLogError(InfraError):
    """There is no log of a detached `up`."""

    exit_code = 4


def print_runtime_status(status: RuntimeStatus) -> None:
    since = f"{local_time(status.since)} ({relative_time(status.since)})" if status.since else ""
    facts = (
        ("state", status.state),
        ("url", status.url or ""),
        ("pid", str(status.pid or "")),
        ("since", since),
        ("home", status.home),
        ("log", status.log or ""),
    )
    print_data(format_fields(facts))
    if status.processes:
        rows = [(each.name, str(each.pid), str(each.restarts), local_time(each.since)) for each in status.processes]
        print_data(f"\n{format_table(COLUMNS, rows)}")


def print_log(settings: Settings, count: int, *, follow: bool) -> None:
    """Print the last lines of the log; `follow` prints new ones until the runtime stops. Raises NoLogError."""
    log = LogFile(settings.home)
    try:
        _print_lines(log.read_last(count))
    except FileNotFoundError:
        raise NoLogError(f"{log.path} does not exist; `localfn up --detach` writes it.") from None
    while follow:
        is_running = find_up(settings.home) is not None  # before the read: the last lines precede the end
        _print_lines(log.read_new())
        if not is_running:
            return
        time.sleep(FOLLOW_INTERVAL_S)


def _print_lines(lines: list[str]) -> None:
    if lines:
        print_data("\n".join(lines))
