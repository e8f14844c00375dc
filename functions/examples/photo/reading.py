"""Open image files of any kind and shape, and load their picture upright and not larger than needed."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from PIL import Image, UnidentifiedImageError

from examples.photo import colours
from localfn import ValidationError

Source = Union[Path, io.BytesIO]

# Not supported, though Pillow opens them: EPS needs a second program, WMF another system, FITS shows no photo.
KINDS = frozenset(("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX")).union(
    ("PNG", "PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP")
)
SUGGESTION = "send JPEG, PNG, WebP, GIF, TIFF or BMP"
_SIGNATURES = (
    (rb"%PDF", "PDF"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg", "SVG"),
    (rb"....ftyp(?:hei|hev|mif1|msf1)", "HEIC"),
    (rb"....ftypavi[fs]", "AVIF"),
    (rb"....ftyp", "MP4 or MOV"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"PK\x03\x04", "ZIP"),
    (rb"\x1f\x8b", "gzip"),
    (rb"\s*<", "HTML or XML"),
)

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_MAX_PROFILE_BYTES = 1_048_576
_GAP = 3  # whole pixels are averaged down to this multiple first: several times as quick, and looks the same


@dataclass(frozen=True)
class Photo:
    """A picture in RGB or RGBA, upright. width, height: of the file's picture, upright, too."""

    picture: Image.Image
    width: int
    height: int
    kind: str
    profile: bytes | None


def open_image(source: Source) -> Image.Image:
    """Open a file and read its header. Raises ValidationError if the file is not a readable picture."""
    with _refusals():
        try:
            opened = Image.open(source)
        except UnidentifiedImageError:
            raise ValidationError(_describe(source)) from None
    if opened.format not in KINDS:
        opened.close()
        raise ValidationError(f"the file is {opened.format}, which cannot be read; {SUGGESTION}")
    return opened


def load(opened: Image.Image, longest: int) -> Photo:
    """Load the first frame so that its longer side is at most `longest`; smaller ones keep their size.

    The picture is shrunk before it is turned and converted: a photo at the limit fits into memory only so often.
    """
    width, height = opened.size
    kind = str(opened.format)
    with _refusals():
        opened.draft(None, (longest * _GAP, longest * _GAP))  # JPEG: decodes fewer pixels
        opened.load()
        turn = _orientation(opened)
        profile = _profile(opened)
        picture = colours.ready_to_scale(opened)
        picture = colours.in_rgb(scaled(picture, longest, (width, height)), opened.info.get("icc_profile"))
        if turn in _UPRIGHT:
            picture = picture.transpose(_UPRIGHT[turn])
    if turn in _SIDEWAYS:
        width, height = height, width
    picture.info = {}
    return Photo(picture, width, height, kind, profile)


def scaled(picture: Image.Image, longest: int, full: tuple[int, int]) -> Image.Image:
    """Scale to the size that a picture of the size `full` has when its longer side is at most `longest`."""
    scale = min(1.0, longest / max(full))
    size = (max(1, round(full[0] * scale)), max(1, round(full[1] * scale)))
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=float(_GAP))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn every error of Pillow into a refusal: another attempt at the same file would fail, too."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow warns from its limit of 89 million pixels on, and refuses from twice the limit on.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except ValidationError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValidationError(f"the image is too large: {error}") from None
    except Exception as error:  # noqa: BLE001 - on damaged files Pillow raises errors of a dozen kinds
        reason = str(error) or type(error).__name__
        raise ValidationError(f"the image is damaged, or its format is not supported: {reason}") from None


def _describe(source: Source) -> str:
    """Return the format of a file that Pillow does not know, for the error."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(1_024)
    else:
        head = source.getvalue()[:1_024]
    if not head:
        return f"this is no image: the file is empty; {SUGGESTION}"
    for signature, name in _SIGNATURES:
        if re.match(signature, head, re.DOTALL | re.IGNORECASE):
            return f"this is no image that can be read, but {name}; {SUGGESTION}"
    return f"this is no image, or none of a kind that can be read; {SUGGESTION}"


def _orientation(opened: Image.Image) -> int:
    """Return how the picture has to be turned (EXIF tag 274), 1 where nothing legible says so.

    Only this tag is read, and none is written: cameras and editors leave values in the others that Pillow cannot
    write again. TIFF files are turned while they are loaded, and have no such tag left then.
    """
    try:
        orientation = opened.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - on broken EXIF data Pillow raises errors of a dozen kinds; viewers show the photo
        return 1
    return orientation if isinstance(orientation, int) else 1


def _profile(opened: Image.Image) -> bytes | None:
    """Return the colour profile, without which a wide-gamut photo looks dull; one for greys or inks fits no RGB."""
    profile = opened.info.get("icc_profile")
    if opened.mode not in ("RGB", "RGBA", "P") or not isinstance(profile, bytes):
        return None
    return profile if 0 < len(profile) <= _MAX_PROFILE_BYTES else None
