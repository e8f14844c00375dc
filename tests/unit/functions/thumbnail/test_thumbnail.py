"""Check thumbnail on images made by Pillow: sizes, orientation, transparency, and rejected files."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import pytest
from PIL import Image

from examples.thumbnail import check, thumbnail
from localfn import Context, ValidationError
from tests.unit.functions.thumbnail.thumbs import BLUE, RED, Thumbs, is_like, two_halves


def test_the_default_sizes_are_written_as_webp(thumbs: Thumbs) -> None:
    result = thumbs.of(two_halves())
    assert result["original"] == {"width": 400, "height": 200, "format": "PNG"}
    assert [(t["name"], t["width"], t["height"]) for t in result["thumbnails"]] == [
        ("thumb-64.webp", 64, 32),
        ("thumb-128.webp", 128, 64),
        ("thumb-256.webp", 256, 128),
    ]
    with thumbs.open("thumb-128.webp") as small:
        assert (small.format, small.size) == ("WEBP", (128, 64))
    assert result["thumbnails"][1]["bytes"] == (thumbs.context.workdir / "thumb-128.webp").stat().st_size


@pytest.mark.parametrize("extension", ["webp", "png", "jpeg"])
def test_sizes_and_format_are_chosen_by_the_event(thumbs: Thumbs, extension: str) -> None:
    result = thumbs.of(two_halves(), sizes=[50, 10, 50], format=extension)
    assert [t["name"] for t in result["thumbnails"]] == [f"thumb-10.{extension}", f"thumb-50.{extension}"]
    with thumbs.open(f"thumb-50.{extension}") as small:
        assert small.format == extension.upper()
        assert is_like(small.convert("RGB").getpixel((5, 10)), RED)
        assert is_like(small.convert("RGB").getpixel((45, 10)), BLUE)


def test_a_small_image_is_not_enlarged_and_a_thin_one_keeps_a_pixel(thumbs: Thumbs) -> None:
    result = thumbs.of(two_halves(1000, 2), sizes=[64, 2000])
    assert [(t["width"], t["height"]) for t in result["thumbnails"]] == [(64, 1), (1000, 2)]


def test_transparency_is_white_in_jpeg_and_stays_elsewhere(thumbs: Thumbs) -> None:
    clear = Image.new("RGBA", (80, 80), (255, 0, 0, 0))
    thumbs.of(clear, sizes=[40], format="jpeg")
    with thumbs.open("thumb-40.jpeg") as small:
        assert is_like(small.getpixel((20, 20)), (255, 255, 255))
    thumbs.of(clear, sizes=[40], format="webp")
    with thumbs.open("thumb-40.webp") as small:
        assert small.convert("RGBA").getpixel((20, 20))[3] == 0  # type: ignore[index]


def test_an_animation_gives_its_first_frame(thumbs: Thumbs) -> None:
    first, second = Image.new("RGB", (60, 60), RED), Image.new("RGB", (60, 60), BLUE)
    thumbs.of(first, "GIF", {"save_all": True, "append_images": [second]}, sizes=[30], format="png")
    with thumbs.open("thumb-30.png") as small:
        assert is_like(small.convert("RGB").getpixel((15, 15)), RED)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("CMYK", "JPEG"), ("I;16", "PNG")],
)
@pytest.mark.parametrize("extension", ["webp", "png", "jpeg"])
def test_any_colour_mode_can_be_read(thumbs: Thumbs, mode: str, kind: str, extension: str) -> None:
    picture = Image.new("I;16", (90, 60), 32_768) if mode == "I;16" else two_halves(90, 60, mode)
    assert thumbs.of(picture, kind, sizes=[30], format=extension)["thumbnails"][0]["height"] == 20


def test_sixteen_bits_of_grey_keep_their_brightness(thumbs: Thumbs) -> None:
    thumbs.of(Image.new("I;16", (50, 50), 32_768), sizes=[25], format="png")
    with thumbs.open("thumb-25.png") as small:
        assert is_like(small.convert("RGB").getpixel((10, 10)), (128, 128, 128))


def test_the_colour_profile_is_kept(thumbs: Thumbs) -> None:
    thumbs.of(two_halves(), "PNG", {"icc_profile": b"a profile"}, sizes=[64], format="png")
    with thumbs.open("thumb-64.png") as small:
        assert small.info["icc_profile"] == b"a profile"


def test_an_inline_image_is_accepted_like_an_upload(make_context: Callable[..., Context]) -> None:
    data = io.BytesIO()
    two_halves().save(data, "PNG")
    context = make_context()
    event = check({"image_base64": base64.b64encode(data.getvalue()).decode(), "sizes": [64]}, context)
    assert thumbnail(event, context)["thumbnails"][0]["height"] == 32


@pytest.mark.filterwarnings("default")  # as in a sandbox, where a warning is no error
def test_a_decompression_bomb_is_rejected(thumbs: Thumbs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400 * 200 - 1)
    with pytest.raises(ValidationError, match="too large"):
        thumbs.of(two_halves())


@pytest.mark.filterwarnings("default")  # as in a sandbox, where a warning is no error
def test_images_above_pillows_warning_limit_are_rejected(thumbs: Thumbs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400 * 200 // 3)
    with pytest.raises(ValidationError, match="too large"):
        thumbs.of(two_halves())


@pytest.mark.parametrize("content", [b"", b"no image", b"GIF89a", b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_file_that_is_not_an_image_is_rejected_before_processing(thumbs: Thumbs, content: bytes) -> None:
    with pytest.raises(ValidationError, match="no image"):
        thumbs.of(content)


def test_a_truncated_image_is_rejected(thumbs: Thumbs) -> None:
    data = io.BytesIO()
    two_halves().save(data, "JPEG")
    with pytest.raises(ValidationError, match="damaged"):
        thumbs.of(data.getvalue()[: len(data.getvalue()) // 2])


def test_exactly_one_image_is_needed(make_context: Callable[..., Context]) -> None:
    with pytest.raises(ValidationError, match="uploads sent: none"):
        check({}, make_context())
    with pytest.raises(ValidationError, match="image_base64"):
        check({"image_base64": "no base64!"}, make_context())
