"""Check thumbnail with EXIF data of each shape: it turns the picture and never rejects it."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.functions.thumbnail.thumbs import BLUE, RED, Thumbs, is_like

GREEN, WHITE, BLACK = (0, 128, 0), (255, 255, 255), (0, 0, 0)
ORIENTATION, X_RESOLUTION = 0x0112, 0x011A
SHORT, SIGNED_RATIONAL = 3, 10
Entry = tuple[int, int, int, bytes]  # tag, type, count, four bytes of value or offset


def quarters(width: int = 120, height: int = 80) -> Image.Image:
    """Return red, blue above green, white."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height // 2))
    picture.paste(GREEN, (0, height // 2, width // 2, height))
    picture.paste(WHITE, (width // 2, height // 2, width, height))
    return picture


def corners(picture: Image.Image) -> list[Any]:
    """Return the colours of the four quarters, row by row."""
    picture = picture.convert("RGB")
    return [
        picture.getpixel((picture.width * x // 4, picture.height * y // 4)) for x, y in [(1, 1), (3, 1), (1, 3), (3, 3)]
    ]


def exif(entries: Sequence[Entry], more: bytes = b"", order: str = "<") -> bytes:
    """Return the bytes of EXIF data with one directory."""
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, count) + value
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + mark + struct.pack(order + "I", 8) + directory + b"\0\0\0\0" + more


def turned(value: int = 6, order: str = "<") -> Entry:
    return ORIENTATION, SHORT, 1, struct.pack(order + "HH", value, 0)


def offset(place: int) -> bytes:
    return struct.pack("<I", place)


TURNED_RIGHT = [GREEN, RED, WHITE, BLUE]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, BLUE, GREEN, WHITE]),
        (2, [BLUE, RED, WHITE, GREEN]),
        (3, [WHITE, GREEN, BLUE, RED]),
        (4, [GREEN, WHITE, RED, BLUE]),
        (5, [RED, GREEN, BLUE, WHITE]),
        (6, TURNED_RIGHT),
        (7, [WHITE, BLUE, GREEN, RED]),
        (8, [BLUE, WHITE, RED, GREEN]),
        (0, [RED, BLUE, GREEN, WHITE]),
        (9, [RED, BLUE, GREEN, WHITE]),
    ],
)
def test_the_picture_is_turned_as_its_exif_data_says(
    thumbs: Thumbs, kind: str, orientation: int, expected: list[Any]
) -> None:
    data = Image.Exif()
    data[ORIENTATION] = orientation
    result = thumbs.of(quarters(), kind, {"exif": data, "quality": 95}, sizes=[60], format="png")
    upright = (80, 120) if orientation in (5, 6, 7, 8) else (120, 80)
    assert (result["original"]["width"], result["original"]["height"]) == upright
    with thumbs.open("thumb-60.png") as small:
        assert small.size == (upright[0] // 2, upright[1] // 2)
        assert all(is_like(found, wanted) for found, wanted in zip(corners(small), expected, strict=True))
        assert not small.getexif()


@pytest.mark.parametrize(
    "data",
    [
        exif([turned(), (X_RESOLUTION, SIGNED_RATIONAL, 1, offset(38))], struct.pack("<ii", -1, 0)),
        exif([turned(), (X_RESOLUTION, 5, 1, offset(38))], struct.pack("<II", 2**32 - 1, 0)),
        exif([turned(), (X_RESOLUTION, 5, 1, offset(4_000_000_000))]),
        exif([turned(), (0x9286, 7, 2**31, offset(0))]),
        exif([turned(), (0x8769, 4, 1, offset(8))]),
        exif([turned(), (0x8825, 4, 1, offset(2**32 - 1))]),
        exif([turned(), (0x010F, 2, 4, b"\xff\xfe\xfd\xfc")]),
        exif([turned(), (0xFFFF, 99, 1, offset(1))]),
        exif([turned(order=">")], order=">"),
        exif([turned()] * 2_000),
        exif([turned(), (X_RESOLUTION, SIGNED_RATIONAL, 1, offset(38))]),
    ],
    ids=["minus", "zero", "far", "huge", "circle", "gps", "text", "type", "big-endian", "many", "short"],
)
def test_a_strange_value_beside_the_orientation_does_not_matter(thumbs: Thumbs, data: bytes) -> None:
    thumbs.of(quarters(), "JPEG", {"exif": data, "quality": 95}, sizes=[60], format="png")
    with thumbs.open("thumb-60.png") as small:
        assert all(is_like(found, wanted) for found, wanted in zip(corners(small), TURNED_RIGHT, strict=True))


@pytest.mark.parametrize(
    "data",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0XX*\0\x08\0\0\0",
        exif([]),
        exif([(ORIENTATION, 2, 4, b"abc\0")]),
        exif([(ORIENTATION, SIGNED_RATIONAL, 1, offset(26))], struct.pack("<ii", 6, 0)),
        exif([(ORIENTATION, SHORT, 2**31, offset(8))]),
        exif([(ORIENTATION, SHORT, 0, offset(8))]),
        exif([turned()])[:-12],
        b"Exif\0\0" + b"\xff" * 60_000,
    ],
)
def test_an_unreadable_orientation_leaves_the_picture_unturned(thumbs: Thumbs, data: bytes) -> None:
    assert thumbs.of(quarters(), "JPEG", {"exif": data}, sizes=[60])["thumbnails"][0]["width"] == 60


@settings(max_examples=150)
@given(st.integers(0, 60), st.binary(max_size=60), st.booleans())
def test_no_exif_data_costs_the_thumbnail(thumbs: Thumbs, cut: int, noise: bytes, is_png: bool) -> None:
    whole = exif([turned(), (X_RESOLUTION, SIGNED_RATIONAL, 1, offset(38))], struct.pack("<ii", -1, 0))
    data = whole[:cut] + noise
    assert thumbs.of(quarters(), "PNG" if is_png else "JPEG", {"exif": data}, sizes=[30])["thumbnails"]


def test_a_tiff_with_a_strange_resolution_is_turned(thumbs: Thumbs) -> None:
    strange = Image.Exif()
    strange[ORIENTATION] = 6
    data = io.BytesIO()
    quarters().save(data, "TIFF", exif=strange, dpi=(72, 72))
    content = bytearray(data.getvalue())
    place = content.index(struct.pack("<HHI", X_RESOLUTION, 5, 1)) + 8
    (at,) = struct.unpack_from("<I", content, place)
    struct.pack_into("<II", content, at, 2**32 - 1, 0)
    thumbs.of(bytes(content), sizes=[60], format="png")
    with thumbs.open("thumb-60.png") as small:
        assert all(is_like(found, wanted) for found, wanted in zip(corners(small), TURNED_RIGHT, strict=True))
