"""Processes whose parent died before them. Where the system can, they become our children instead of init's.

So nothing that a killed worker or a daemonising function had started outlives `up`. Only Linux can;
elsewhere what was still a descendant when the stop began is ended, and the rest is the user's. They are ended at the
stop; while it runs, a pool's scout ends what the sandboxes of a dead pool left.
"""

import psutil

from infra.supervisor.termination import descendants, kill_all


def kill_descendants() -> None:
    """Kill everything below this process."""
    kill_all(descendants(psutil.Process()))
