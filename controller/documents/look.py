"""A logo as it goes on paper: flattened on white and no larger than a printer shows, made once.

A logo of 2,000 pixels would be unpacked and packed again for every document.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image

WIDTH_MAX, HEIGHT_MAX = 480, 210
"""Pixels: 40 by 18 mm at 300 to the inch."""

QUALITY = 92


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
