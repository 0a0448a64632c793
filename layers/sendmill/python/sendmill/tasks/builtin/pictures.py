"""Tell what a file is by its content, and make thumbnails of pictures.

The size of a picture is read from its first bytes and judged before anything is unpacked: 25 kB
can hold a picture of 20,000 x 20,000, which would take 1.2 GB. Thumbnails carry no metadata, so no
place of a photo.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sendmill.errors import PermanentError

if TYPE_CHECKING:
    from PIL.Image import Image

# A phone of 2026 takes 50 megapixels; unpacked they are 150 MB of the processor's 1,024.
MAX_PIXELS = 64_000_000
MAX_SIDE = 16_384
THUMBNAIL_SIDE = 512
_LIMIT = f"the picture must have at most {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} a side"
PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
DOCUMENTS = frozenset({"application/pdf"})
_QUALITY = 82
_WHITE = (255, 255, 255)
# The tag of EXIF for how a camera was held, and what it says of one held upright.
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)


class BadFile(PermanentError, ValueError):
    """A file is not what it says, is broken, or must not be unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Hold the size of a picture as it is shown, and its thumbnail as JPEG."""

    width: int
    height: int
    thumbnail: bytes


def kind_of(data: bytes) -> str:
    """Return the media type that a file's first bytes show, empty when it is none we take."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    # a PDF may begin with a few bytes of something else
    return "application/pdf" if b"%PDF-" in data[:1024] else ""


def check_kind(data: bytes, declared: str) -> str:
    """Return the type of a file; raises BadFile for one we do not take, or not the declared."""
    found = kind_of(data)
    if not found:
        known = ", ".join(sorted(PICTURES | DOCUMENTS))
        raise BadFile(f"its content is none of {known}" if data else "the file is empty")
    said = declared.lower().partition(";")[0].strip().replace("image/jpg", "image/jpeg")
    if said and said != found:
        raise BadFile(f"it says {said:.80} and its content is {found}")
    return found


def read_picture(data: bytes) -> Picture:
    """Return the thumbnail of a picture; raises BadFile for a broken one and for a bomb."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns of what we judge ourselves
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _read(data)
    except BadFile:
        raise
    except Image.DecompressionBombError as error:
        raise BadFile(f"{_LIMIT}: it is not unpacked ({_said(error)})") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise BadFile(f"the picture is broken: {_said(error)}") from error


def _read(data: bytes) -> Picture:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF", "WEBP")) as opened:
        width, height = opened.size
        _check_size(width, height)
        if opened.getexif().get(_ORIENTATION, 1) in _LYING:
            width, height = height, width
        # of a JPEG no more is unpacked than a thumbnail needs
        opened.draft("RGB", (2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))
        small = ImageOps.exif_transpose(opened)
        small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        return Picture(width=width, height=height, thumbnail=_jpeg(small))


def _jpeg(picture: Image) -> bytes:
    from PIL.Image import new

    if picture.mode != "RGB":
        # JPEG knows no transparency
        seen = picture.convert("RGBA")
        picture = new("RGB", seen.size, _WHITE)
        picture.paste(seen, mask=seen)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise BadFile(f"{_LIMIT}: it is not unpacked (got {width} x {height})")


def _said(error: BaseException) -> str:
    """Return what Pillow says, without the address of an object in it."""
    return re.sub(r"<[^>]*>", "the file", str(error) or type(error).__name__)[:200]
