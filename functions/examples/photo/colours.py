"""Bring the colours of a picture to RGB, or to RGBA where it has transparency."""

from __future__ import annotations

import io
from array import array

from PIL import Image, ImageCms

BACKGROUND = (255, 255, 255)  # behind transparency, where the format has none
_BAND_ROWS = 256
_SAMPLE_SIDE = 256
_NO_DATA = 1e30  # maps mark places without a height by -3.4e38


def ready_to_scale(picture: Image.Image) -> Image.Image:
    """Return the picture in a mode whose neighbouring pixels can be averaged: palettes and 16 bits cannot."""
    if picture.mode.startswith(("I", "F")):
        return _grey(picture)
    if picture.has_transparency_data and picture.mode not in ("LA", "RGBA"):
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture.convert("RGB") if picture.mode in ("P", "HSV") else picture


def in_rgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in RGB or RGBA. profile: of its inks, if it is CMYK."""
    if picture.mode in ("LA", "RGBA"):
        return picture.convert("RGBA")
    if picture.mode == "LAB":
        return _by_profile(picture, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if picture.mode == "CMYK" and profile:
        try:
            return _by_profile(picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            return picture.convert("RGB")  # a broken profile is as good as none
    return picture.convert("RGB")


def flat(picture: Image.Image) -> Image.Image:
    """Return the picture without transparency, in front of the background."""
    if picture.mode != "RGBA":
        return picture
    flattened = Image.new("RGB", picture.size, BACKGROUND)
    flattened.paste(picture, mask=picture.getchannel("A"))
    return flattened


def _by_profile(picture: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # None is returned only for changes in place
    return converted


def _grey(picture: Image.Image) -> Image.Image:
    """Return 8 bits of grey for 16 or 32 bits, or for floats; converting alone would cut off all above 255.

    A band of rows at a time, which keeps the memory for it small.
    """
    low, high = _range(picture)
    scale = 255 / (high - low)
    grey = Image.new("L", picture.size)
    for top in range(0, picture.height, _BAND_ROWS):
        box = (0, top, picture.width, min(top + _BAND_ROWS, picture.height))
        band = picture.crop(box).convert("F").point(lambda level: level * scale + (0.5 - low * scale))
        grey.paste(band.convert("L"), box)
    return grey


def _range(picture: Image.Image) -> tuple[float, float]:
    """Return which levels are black and white: a customary range that holds all levels, else the range in use."""
    if picture.mode.startswith("I;16"):
        return 0.0, 65_535.0
    size = (min(picture.width, _SAMPLE_SIDE), min(picture.height, _SAMPLE_SIDE))
    sample = picture.resize(size, Image.Resampling.NEAREST).convert("F").tobytes()
    levels = [level for level in array("f", sample) if abs(level) < _NO_DATA]  # NaN is not
    low, high = min(levels, default=0.0), max(levels, default=1.0)
    customary = (1.0, 255.0) if picture.mode == "F" else (65_535.0,)
    for white in customary:
        if low >= 0 and high <= white:
            return 0.0, white
    return low, max(high, low + 1e-6 * max(abs(low), 1.0))
