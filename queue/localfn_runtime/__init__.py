"""Make the packages of the runtime importable by their own names, in its own processes only.

The wheel installs them in this folder, so that site-packages gets no package called `schema` or `handlers`, which a
project may have itself. This folder goes to the front of the search path of each process of the runtime. Sandboxes do
not import this package. In a clone, the packages are on the search path already.
"""

import atexit
import gc
import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
MAX_NEW_OBJECTS = 200_000  # during the imports; they make 150,000 objects that stay

if (FOLDER / "infra").is_dir() and str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))


def main() -> None:
    """Run the command line.

    Each collection of garbage visits what was imported, and so does the exit: without both a process starts and ends in
    two thirds of the processor time.
    """
    if sys.argv[1:] == ["alive"] and (home := os.environ.get("LOCALFN_HOME")):
        # Probes run it every few seconds. The imports of the command line would double its processor time.
        from workqueue.heartbeats.liveness import find_problem

        sys.exit(find_problem(Path(home, "run")))
    gc.set_threshold(MAX_NEW_OBJECTS)
    atexit.register(gc.freeze)
    from infra.cli.main import main as run_command

    run_command()
