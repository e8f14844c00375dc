"""Check thumbnail on photos of each mode and format, and on files that are not photos."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from examples.thumbnail import check
from localfn import Context, ValidationError
from tests.unit.functions.thumbnail.thumbs import BLUE, RED, Thumbs, is_like, two_halves


def floats(*levels: float) -> Image.Image:
    picture = Image.new("F", (len(levels) * 10, 10))
    for place, level in enumerate(levels):
        picture.paste(level, (place * 10, 0, place * 10 + 10, 10))
    return picture


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.0, 0.5, 1.0), (0, 128, 255)),
        ((0.25, 0.25, 0.25), (64, 64, 64)),
        ((0.0, 100.0, 200.0), (0, 100, 200)),
        ((0.0, 32767.5, 65535.0), (0, 128, 255)),
        ((-1000.0, 0.0, 1000.0), (0, 128, 255)),
        ((1e6, 2e6, 3e6), (0, 128, 255)),
        ((-5.0, -5.0, -5.0), (0, 0, 0)),
        ((-3.4e38, 0.0, 1000.0), (0, 0, 255)),
        ((0.0, 1.0, float("inf")), (0, 255, 255)),
        ((0.0, 0.5, float("nan")), (0, 128, None)),
        ((float("nan"),) * 3, (None, None, None)),
    ],
)
def test_a_float_picture_keeps_its_brightness(thumbs: Thumbs, levels: Any, expected: Any) -> None:
    thumbs.of(floats(*levels), "TIFF", sizes=[30], format="png")
    with thumbs.open("thumb-30.png") as small:
        found = [small.convert("L").getpixel((x, 5)) for x in (5, 15, 25)]
    for level, wanted in zip(found, expected, strict=True):
        assert wanted is None or level == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize(
    ("kind", "mode", "code", "levels"),
    [
        ("TIFF", "I;16", "<3H", (0, 32_768, 65_535)),
        ("TIFF", "I;16B", ">3H", (0, 32_768, 65_535)),
        ("PNG", "I;16", "<3H", (0, 32_768, 65_535)),
        ("TIFF", "I", "=3i", (0, 32_768, 65_535)),
        ("TIFF", "I", "=3i", (-70_000, 0, 70_000)),
        ("TIFF", "I", "=3i", (0, 2**30, 2**31 - 1)),
    ],
)
def test_a_picture_of_16_or_32_bits_keeps_its_brightness(
    thumbs: Thumbs, kind: str, mode: str, code: str, levels: tuple[int, ...]
) -> None:
    thumbs.of(Image.frombytes(mode, (3, 1), struct.pack(code, *levels)), kind, sizes=[3], format="png")
    with thumbs.open("thumb-3.png") as small:
        assert [small.convert("L").getpixel((x, 0)) for x in range(3)] == pytest.approx([0, 128, 255], abs=2)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "P", "1", "I;16", "F", "I"])
@pytest.mark.parametrize("extension", ["webp", "png", "jpeg"])
def test_a_tiff_of_any_mode_is_read(thumbs: Thumbs, mode: str, extension: str) -> None:
    picture = Image.new("LAB", (90, 60)) if mode == "LAB" else two_halves(90, 60).convert("L").convert(mode)
    assert thumbs.of(picture, "TIFF", sizes=[30], format=extension)["thumbnails"][0]["height"] == 20


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_do_not_darken_their_neighbours(thumbs: Thumbs, mode: str) -> None:
    picture = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    picture.paste((255, 255, 255, 255), (0, 0, 201, 200))
    thumbs.of(picture.convert(mode), sizes=[40], format="png")
    with thumbs.open("thumb-40.png") as small:
        pixels = [small.convert("RGBA").getpixel((x, 10)) for x in range(40)]
    assert small.size == (40, 20)
    assert all(min(pixel[:3]) > 240 for pixel in pixels if pixel[3] > 20)  # type: ignore[index]
    assert [pixels[2][3], pixels[37][3]] == [255, 0]  # type: ignore[index]


def test_a_palette_and_a_single_colour_may_be_transparent(thumbs: Thumbs) -> None:
    palette = Image.new("P", (80, 80), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 40, 80))
    for picture, options in [
        (palette, {"transparency": 0}),
        (palette, {"transparency": b"\x00\xff"}),
        (two_halves(80, 80), {"transparency": RED}),
        (two_halves(80, 80, "L"), {"transparency": 76}),
    ]:
        thumbs.of(picture, "PNG", options, sizes=[40], format="png")
        with thumbs.open("thumb-40.png") as small:
            assert [small.convert("RGBA").getpixel((x, 20))[3] for x in (5, 35)] == [0, 255]  # type: ignore[index]


def test_inks_are_shown_in_their_colours(thumbs: Thumbs) -> None:
    for save in ({}, {"icc_profile": b"no profile"}):
        thumbs.of(two_halves(mode="CMYK"), "JPEG", {"quality": 95, **save}, sizes=[40], format="png")
        with thumbs.open("thumb-40.png") as small:
            assert is_like(small.getpixel((5, 10)), RED)
            assert "icc_profile" not in small.info


def test_lab_is_shown_in_its_colours(thumbs: Thumbs) -> None:
    lab = ImageCms.profileToProfile(
        two_halves(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    thumbs.of(lab, "TIFF", sizes=[40], format="png")
    with thumbs.open("thumb-40.png") as small:
        assert is_like(small.getpixel((5, 10)), RED)
        assert is_like(small.getpixel((35, 10)), BLUE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "MPO"])
def test_several_frames_give_the_first(thumbs: Thumbs, kind: str) -> None:
    frames = [Image.new("RGB", (60, 60), colour) for colour in (RED, BLUE)]
    thumbs.of(frames[0], kind, {"save_all": True, "append_images": frames[1:]}, sizes=[30], format="png")
    with thumbs.open("thumb-30.png") as small:
        assert is_like(small.convert("RGB").getpixel((15, 15)), RED)


@pytest.mark.parametrize("kind", ["BMP", "ICO", "PPM", "TGA", "JPEG2000", "PCX", "SGI", "DDS", "QOI", "AVIF"])
def test_further_image_formats_are_read(thumbs: Thumbs, kind: str) -> None:
    assert thumbs.of(two_halves(64, 32), kind, sizes=[16])["thumbnails"][0]["width"] == 16


@pytest.mark.parametrize(
    "save", [{"progressive": True}, {"optimize": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_a_jpeg_of_any_make_is_read(thumbs: Thumbs, save: dict[str, Any]) -> None:
    thumbs.of(two_halves(), "JPEG", save, sizes=[40], format="png")
    with thumbs.open("thumb-40.png") as small:
        assert is_like(small.getpixel((5, 10)), RED)


@pytest.mark.parametrize(("size", "thumb"), [((20_000, 1), (64, 1)), ((1, 20_000), (1, 64)), ((1, 1), (1, 1))])
def test_extreme_shapes_keep_a_pixel(thumbs: Thumbs, size: tuple[int, int], thumb: tuple[int, int]) -> None:
    for mode in ("RGB", "RGBA", "L", "1"):
        for extension in ("webp", "png", "jpeg"):
            result = thumbs.of(Image.new(mode, size), sizes=[64], format=extension)
            assert (result["thumbnails"][0]["width"], result["thumbnails"][0]["height"]) == thumb


def test_sizes_are_those_of_the_whole_photo_however_few_pixels_are_decoded(thumbs: Thumbs) -> None:
    result = thumbs.of(Image.new("RGB", (3_001, 2_003), RED), "JPEG", sizes=[10, 100])
    assert [(t["width"], t["height"]) for t in result["thumbnails"]] == [(10, 7), (100, 67)]
    assert result["original"] == {"width": 3_001, "height": 2_003, "format": "JPEG"}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'<?xml version="1.0"?>\n<!-- by hand -->\n<svg width="1"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "MP4"),
        (b"\xff\x0a\x00\x10", "JPEG XL"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x1f\x8b\x08\0rest", "gzip"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "EPS"),
        (b"", "empty"),
    ],
)
def test_a_file_of_another_kind_is_rejected_by_name(thumbs: Thumbs, content: bytes, name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        thumbs.of(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_file_that_is_cut_off_anywhere_is_a_thumbnail_or_rejected(thumbs: Thumbs, kind: str) -> None:
    data = io.BytesIO()
    two_halves(100, 50).save(data, kind)
    content = data.getvalue()
    for length in range(0, len(content) - 1, max(1, len(content) // 40)):
        try:
            thumbs.of(content[:length], sizes=[10])
        except ValidationError:
            continue


@settings(max_examples=200)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "TGA"]), st.data())
def test_a_damaged_file_is_a_thumbnail_or_rejected(thumbs: Thumbs, kind: str, data: st.DataObject) -> None:
    file = io.BytesIO()
    two_halves(40, 20).save(file, kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, min(len(content), 400) - 1))] = data.draw(st.integers(0, 255))
    try:
        thumbs.of(bytes(content), sizes=[10])
    except ValidationError:
        return


def test_a_huge_colour_profile_is_left_out(thumbs: Thumbs) -> None:
    thumbs.of(two_halves(), "WEBP", {"icc_profile": b"x" * 3_000_000}, sizes=[64], format="jpeg")
    with thumbs.open("thumb-64.jpeg") as small:
        assert "icc_profile" not in small.info


def test_an_inline_file_of_another_kind_is_rejected_by_name(make_context: Callable[..., Context]) -> None:
    with pytest.raises(ValidationError, match="PDF"):
        check({"image_base64": base64.b64encode(b"%PDF-1.7").decode()}, make_context())
