"""A logo as it goes on paper and on phones: no larger than a printer or a portal shows, made once.

A logo of 2,000 pixels would be unpacked and packed again for every document.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image

WIDTH_MAX, HEIGHT_MAX = 480, 210
"""Pixels: 40 by 18 mm at 300 to the inch."""

QUALITY = 92

PHONE_WIDTH_MAX, PHONE_HEIGHT_MAX = 224, 64
"""Pixels: a portal's head on a phone with two pixels to each of a style sheet's."""

COLOURS_MAX = 256

_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for a picture whose parts are whole and mean nothing, or too much."""


def is_readable(png: bytes) -> bool:
    """Whether the picture can be put on paper and on portals."""
    try:
        small_logo(png)
        phone_logo(png)
    except _UNREADABLE:
        return False
    return True


@lru_cache(16)
def small_logo(png: bytes) -> tuple[bytes, int, int]:
    """The picture as JPEG, its width and its height in pixels."""
    with Image.open(BytesIO(png)) as picture:
        whole = picture.convert("RGBA")
    whole.thumbnail((WIDTH_MAX, HEIGHT_MAX))
    flat = Image.new("RGB", whole.size, "white")
    flat.paste(whole, mask=whole.getchannel("A"))
    out = BytesIO()
    flat.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue(), *flat.size


@lru_cache(16)
def phone_logo(png: bytes) -> bytes:
    """The picture as a PNG of at most 16 KB for portals, clear where it was clear."""
    with Image.open(BytesIO(png)) as picture:
        whole = picture.convert("RGBA")
    whole.thumbnail((PHONE_WIDTH_MAX, PHONE_HEIGHT_MAX))
    out = BytesIO()
    whole.quantize(COLOURS_MAX, Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
    return out.getvalue()
