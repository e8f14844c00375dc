"""Run thumbnail on pictures made by Pillow, and open its output files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from examples.thumbnail import check, thumbnail
from localfn import Context

RED, BLUE = (255, 0, 0), (0, 0, 255)


class Thumbs:
    """Run thumbnail on one image file, and open its output files."""

    def __init__(self, make_context: Callable[..., Context], tmp_path: Path) -> None:
        self.make_context = make_context
        self.upload = tmp_path / "upload"

    def of(self, picture: Image.Image | bytes, kind: str = "PNG", save: Any = None, **event: Any) -> dict[str, Any]:
        if isinstance(picture, bytes):
            self.upload.write_bytes(picture)
        else:
            picture.save(self.upload, kind, **(save or {}))
        self.context = self.make_context(image=self.upload)
        result: dict[str, Any] = thumbnail(check(event, self.context), self.context)
        return result

    def open(self, name: str) -> Image.Image:
        assert name in [entry["name"] for entry in self.context.saved]
        return Image.open(io.BytesIO((self.context.workdir / ".output" / name).read_bytes()))


def two_halves(width: int = 400, height: int = 200, mode: str = "RGB") -> Image.Image:
    """Return a picture: red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture.convert(mode)


def is_like(pixel: Any, colour: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=True))
