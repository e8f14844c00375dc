"""Check that no folder holds more than twelve modules."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("handlers", "infra", "queue", "schema", "seed", "functions", "benchmarks", "tests")
MAX_MODULES = 12
NOT_COUNTED = {"__init__.py", "conftest.py"}
EXCEPTIONS = {"schema/migrations/versions": "Alembic wants all migrations in one folder, and none is ever removed"}


def list_modules(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py")} - NOT_COUNTED


def find_crowded(root: Path) -> set[str]:
    """Return the folders below `root` that hold more than MAX_MODULES modules."""
    folders = (path for name in FOLDERS for path in ((root / name), *(root / name).rglob("*/")) if path.is_dir())
    return {str(folder.relative_to(root)) for folder in folders if len(list_modules(folder)) > MAX_MODULES}


def test_no_folder_holds_too_many_modules() -> None:
    assert find_crowded(ROOT) - EXCEPTIONS.keys() == set()


def test_a_crowded_folder_would_be_found(tmp_path: Path) -> None:
    folder = tmp_path / "handlers" / "api"
    folder.mkdir(parents=True)
    for number in range(MAX_MODULES + 1):
        (folder / f"module_{number}.py").touch()
    assert find_crowded(tmp_path) == {"handlers/api"}
    (folder / "module_0.py").rename(folder / "__init__.py")
    assert find_crowded(tmp_path) == set()
