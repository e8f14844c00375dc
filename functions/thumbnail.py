"""thumbnail: an image in several sizes. Shows a library, and an upload refused before the work begins."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from localfn import Context, ValidationError, function

SIZES = (64, 128, 256)
FORMATS = ("webp", "png", "jpeg")
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "webp": {"quality": 82, "method": 4},
    "png": {"optimize": True},
    "jpeg": {"quality": 85, "optimize": True, "progressive": True},
}
BACKGROUND = (255, 255, 255)  # behind what was transparent, where the format has no transparency

INPUT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image_base64": {
            "type": "string",
            "description": "The image file itself, in place of an upload named image",
        },
        "sizes": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 4096},
            "minItems": 1,
            "maxItems": 20,
            "default": list(SIZES),
            "description": "Length of the longer side in pixels; a smaller image is not enlarged",
        },
        "format": {"enum": list(FORMATS), "default": "webp"},
    },
}


@function(timeout_s=120, max_attempts=2, memory_mb=1024, input=INPUT)
def thumbnail(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Makes thumbnails of an image, sent as the upload `image` or as {"image_base64": "…"}.

    Writes thumb-64.webp and so on; answers {"original": {"width", "height", "format"}, "thumbnails":
    [{"name", "width", "height", "bytes"}]}. The picture is turned as its EXIF data says, and all sizes are
    those of the turned one. Of an animation the first frame is taken. Transparency becomes white in JPEG.
    EXIF data (places, dates) is left out.
    """
    sizes = sorted(set(event.get("sizes", SIZES)), reverse=True)
    extension = event.get("format", "webp")
    with _open(_source(event, context)) as opened:
        original_format = opened.format
        picture = _upright(opened, extension)
    made = []
    for done, size in enumerate(sizes):
        context.progress(done / len(sizes), f"{size} px")
        made.append(_save(picture, size, extension, context))
    return {
        "original": {"width": picture.width, "height": picture.height, "format": original_format},
        "thumbnails": made[::-1],
    }


@thumbnail.validate
def check(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Exactly one image, and one that can be opened; only its header is read here."""
    if ("image_base64" in event) == ("image" in context.files):
        sent = ", ".join(sorted(context.files)) or "none"
        raise ValidationError(
            f'send one image, either as the upload "image" or as "image_base64" (uploads sent: {sent})'
        )
    with _open(_source(event, context)):
        return event


def _source(event: dict[str, Any], context: Context) -> Path | io.BytesIO:
    if "image" in context.files:
        return context.files["image"]
    try:
        return io.BytesIO(base64.b64decode(event["image_base64"], validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValidationError(f"image_base64: {error}") from None


def _open(source: Path | io.BytesIO) -> Image.Image:
    """Raises ValidationError for what is no image, and for one beyond Pillow's limit of 89 million pixels."""
    try:
        with warnings.catch_warnings():
            # Pillow warns from its limit on and refuses from twice the limit on.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(source)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValidationError(f"the image is too large: {error}") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise ValidationError("this is no image, or none of a kind that can be read") from None


def _upright(opened: Image.Image, extension: str) -> Image.Image:
    """The first frame, turned as its EXIF data says, in colours that the format can hold."""
    try:
        # A wide-gamut photo looks dull without its colour profile; one for greys or inks does not fit RGB.
        profile = opened.info.get("icc_profile") if opened.mode in ("RGB", "RGBA", "P") else None
        ImageOps.exif_transpose(opened, in_place=True)  # in place: a large photo fits into memory only so often
        picture = _in_colour(opened, extension)
    except (OSError, ValueError, SyntaxError) as error:
        raise ValidationError(f"the image is damaged or of a rare kind: {error}") from None
    picture.info = {"icc_profile": profile} if profile else {}
    return picture


def _in_colour(picture: Image.Image, extension: str) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16 bits of grey: converting to 8 cuts off everything above 255.
        picture = picture.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if extension != "jpeg":
        return picture
    flat = Image.new("RGB", picture.size, BACKGROUND)
    flat.paste(picture, mask=picture.getchannel("A"))
    return flat


def _save(picture: Image.Image, size: int, extension: str, context: Context) -> dict[str, Any]:
    scale = min(1.0, size / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    # reducing_gap: whole pixels are averaged first, which is several times as quick and looks the same.
    small = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    path = context.workdir / f"thumb-{size}.{extension}"
    small.save(path, extension, icc_profile=picture.info.get("icc_profile"), **SAVE_OPTIONS[extension])
    context.save_file(path)
    return {"name": path.name, "width": width, "height": height, "bytes": path.stat().st_size}
