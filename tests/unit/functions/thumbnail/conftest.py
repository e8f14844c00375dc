"""Share one fixture: thumbnails of one image file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from localfn import Context
from tests.unit.functions.thumbnail.thumbs import Thumbs


@pytest.fixture
def thumbs(make_context: Callable[..., Context], tmp_path: Path) -> Thumbs:
    return Thumbs(make_context, tmp_path)
