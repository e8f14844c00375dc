"""Check that the small disk of a run is unmounted after each kind of end."""

from pathlib import Path

import pytest

from tests.chaos.environment.disk import small_disk
from tests.support.disks import fill
from workqueue.files.disk_space import Disk


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def require_small(home: Path) -> None:
    if not home.is_mount():
        pytest.skip("a small disk needs a root that may mount one")


def fill_until_interrupted(home: Path) -> None:
    with small_disk(home, keep=False):
        require_small(home)
        fill(home)
        assert Disk(home, 0).free_bytes() == 0
        raise KeyboardInterrupt


def test_an_interrupted_run_leaves_no_disk_behind(home: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill_until_interrupted(home)
    assert not home.is_mount()
    assert list(home.iterdir()) == []


def test_kept_files_outlive_the_small_disk(home: Path) -> None:
    with small_disk(home, keep=True):
        require_small(home)
        (home / "kept").write_text("kept")
    assert not home.is_mount()
    assert (home / "kept").read_text() == "kept"
    assert [path.name for path in home.parent.iterdir()] == ["home"]
