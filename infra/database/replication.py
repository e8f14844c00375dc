"""Find out whether standbys follow PostgreSQL, and whether commits wait for them."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

# Without the rights of pg_monitor PostgreSQL shows one row for each standby, and its state as NULL.
STATE = text(
    """
    SELECT pg_is_in_recovery() AS is_standby, count(*) AS standbys, count(state) AS visible,
        count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous,
        current_setting('synchronous_standby_names') AS wanted,
        current_setting('synchronous_commit') AS commit_waits_for
    FROM pg_stat_replication
    """
)
WAITING = ("on", "remote_write", "remote_apply")  # values of synchronous_commit that wait for a standby


@dataclass(frozen=True)
class Replication:
    """Hold the state of replication.

    is_standby: this server is one itself. standbys: connected ones. visible: those whose state this user may read.
    synchronous: those that commits wait for. wanted: synchronous_standby_names. commit_waits_for: synchronous_commit.
    """

    is_standby: bool
    standbys: int
    visible: int
    synchronous: int
    wanted: str
    commit_waits_for: str

    def describe(self) -> tuple[bool, str, str]:
        """Return whether all is well, what there is, and what to do."""
        shown = f"{self.standbys} standby{'s' if self.standbys > 1 else ''}"
        if self.is_standby:
            return False, "this server is a standby, and read-only", "let DATABASE_URL name the primary"
        if not self.standbys:
            if self.wanted:
                hint = "start that standby, or empty synchronous_standby_names"
                return False, f"no standby is connected, and commits wait for {self.wanted}", hint
            return True, "no standby is connected: this server has the only copy", ""
        if not self.visible:
            # The state is hidden, but commits do not wait if no standby is wanted.
            hint = "GRANT pg_monitor to the user of DATABASE_URL" if self.wanted else _SYNCHRONOUS
            return True, f"{shown}, {'state hidden' if self.wanted else _LOSES}", hint
        if not self.synchronous:
            return True, f"{shown}, {_LOSES}", _SYNCHRONOUS
        if self.commit_waits_for not in WAITING:
            detail = f"{shown}, synchronous, but synchronous_commit = {self.commit_waits_for} does not wait for it"
            return True, detail, "set synchronous_commit to on"
        return True, f"{shown}, synchronous: a failover loses no accepted request", ""


_LOSES = "asynchronous: a failover may lose accepted requests"
_SYNCHRONOUS = "set synchronous_standby_names of PostgreSQL to wait for it"


def read_replication(connection: Connection) -> Replication:
    """Read the state of replication; no special rights are needed."""
    return Replication(**connection.execute(STATE).mappings().one())
