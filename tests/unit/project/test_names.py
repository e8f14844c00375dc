"""Check our top-level names against the standard library's `queue` and other distributions."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
OURS = {"handlers", "infra", "localfn", "schema", "seed", "workqueue"}


def test_queue_is_the_standard_library_module_from_the_root() -> None:
    code = "import queue, sysconfig; print(queue.__file__.startswith(sysconfig.get_path('stdlib')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_no_folder_called_queue_is_a_package() -> None:
    assert not (ROOT / "queue" / "__init__.py").exists()
    assert not (ROOT / "tests" / "queue").exists()


def test_no_other_distribution_provides_our_package_names() -> None:
    claims = importlib.metadata.packages_distributions()
    others = {name: owners for name in OURS if (owners := set(claims.get(name, ())) - {"localfn"})}
    assert others == {}


def test_tests_are_ours_although_rq_dashboard_installs_a_folder_of_that_name() -> None:
    import tests

    assert Path(str(tests.__file__)).parent == ROOT / "tests"
