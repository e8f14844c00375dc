"""Scale an image to several sizes. Shows a library, and an upload that is rejected before the work starts."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

from examples.photo.colours import flat
from examples.photo.reading import Photo, Source, load, open_image, scaled
from localfn import Context, ValidationError, function

SIZES = (64, 128, 256)
FORMATS = ("webp", "png", "jpeg")
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "webp": {"quality": 82, "method": 4},
    "png": {"optimize": True},
    "jpeg": {"quality": 85, "optimize": True, "progressive": True},
}

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


@function(timeout_s=120, max_attempts=2, memory_mb=1536, input=INPUT)
def thumbnail(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Make thumbnails of an image, sent as the upload `image` or as {"image_base64": "…"}.

    Writes thumb-64.webp and so on; returns {"original": {"width", "height", "format"}, "thumbnails":
    [{"name", "width", "height", "bytes"}]}. The picture is turned by its EXIF orientation, and all sizes are those of
    the turned picture. An animation gives its first frame. Transparency becomes white in JPEG. 16-bit and float
    pictures become 8 bits: floats from 0 to 1 or from 0 to 255 keep their scale, others are stretched from their lowest
    to their highest level. EXIF data (places, dates) is removed. Images above 89 million pixels are rejected.
    """
    sizes = sorted(set(event.get("sizes", SIZES)), reverse=True)
    extension = event.get("format", "webp")
    context.progress(0.0, "reading the image")
    with open_image(_source(event, context)) as opened:
        photo = load(opened, sizes[0])
    made = []
    for done, size in enumerate(sizes):
        context.progress(done / len(sizes), f"{size} px")
        made.append(_save(photo, size, extension, context))
    return {
        "original": {"width": photo.width, "height": photo.height, "format": photo.kind},
        "thumbnails": made[::-1],
    }


@thumbnail.validate
def check(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Reject an event without exactly one readable image; only the header is read here."""
    if ("image_base64" in event) == ("image" in context.files):
        sent = ", ".join(sorted(context.files)) or "none"
        raise ValidationError(
            f'send one image, either as the upload "image" or as "image_base64" (uploads sent: {sent})'
        )
    with open_image(_source(event, context)):
        return event


def _source(event: dict[str, Any], context: Context) -> Source:
    if "image" in context.files:
        return context.files["image"]
    try:
        return io.BytesIO(base64.b64decode(event["image_base64"], validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValidationError(f"image_base64: {error}") from None


def _save(photo: Photo, size: int, extension: str, context: Context) -> dict[str, Any]:
    small = scaled(photo.picture, size, (photo.width, photo.height))
    path = context.workdir / f"thumb-{size}.{extension}"
    flattened = flat(small) if extension == "jpeg" else small
    flattened.save(path, extension, icc_profile=photo.profile, **SAVE_OPTIONS[extension])
    context.save_file(path)
    return {"name": path.name, "width": small.width, "height": small.height, "bytes": path.stat().st_size}
