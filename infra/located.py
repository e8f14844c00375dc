"""Find the address of the `localfn up` of this home."""

from dataclasses import replace

from infra.config.settings import Settings


def with_running_address(settings: Settings) -> Settings:
    """Return settings with the address of the `up` that runs with this home, unless PORT or LOCALFN_URL names one."""
    if settings.url is not None or settings.is_port_given:
        return settings
    from infra.supervisor.pid_records import PidRecords  # psutil takes long to import, and most calls name the port

    record = PidRecords(settings.home / "run").find("web")
    if record is None or record.address is None or record.process() is None:
        return settings
    host, port = record.address
    return replace(settings, host=host, port=port)
