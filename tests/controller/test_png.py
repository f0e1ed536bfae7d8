"""A logo that no printer of documents could read is refused before it is kept."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from billing.errors import InvalidField
from controller.png import check_png


def part(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def a_png(
    *,
    width: int = 4,
    height: int = 4,
    head: bytes = b"\x08\x02\x00\x00\x00",
    rows: bytes | None = None,
    noise: bool = False,
) -> bytes:
    """A picture of three bytes a pixel; with noise one of nearly 200,000 bytes."""
    if noise:
        width, height = 256, 256
        rows = b"".join(b"\0" + random.Random(n).randbytes(768) for n in range(height))
    body = zlib.compress(bytes(height * (1 + 3 * width)) if rows is None else rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", struct.pack(">II", width, height) + head)
        + part(b"IDAT", body)
        + part(b"IEND", b"")
    )


def a_palette(*, colours: bytes = bytes(6)) -> bytes:
    whole = a_png(head=b"\x08\x03\x00\x00\x00", rows=bytes(4 * 5))
    at = whole.index(b"IDAT") - 4
    return whole[:at] + part(b"PLTE", colours) + whole[at:]


def with_part(kind: bytes, body: bytes) -> bytes:
    whole = a_png()
    at = whole.index(b"IDAT") - 4
    return whole[:at] + part(kind, body) + whole[at:]


def test_a_second_size_is_refused() -> None:
    """Readers take the last one, and with it as much memory as it says."""
    size = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)

    with pytest.raises(InvalidField, match="its size more than once"):
        check_png(with_part(b"IHDR", size), field="logo")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_others_write_is_taken(mode: str) -> None:
    written = BytesIO()
    Image.new(mode, (33, 7)).save(written, "PNG", optimize=True)

    assert check_png(written.getvalue(), field="logo") == written.getvalue()


@pytest.mark.parametrize("picture", [a_png(), a_png(noise=True), a_palette()])
def test_what_is_taken_can_be_read(picture: bytes) -> None:
    Image.open(BytesIO(check_png(picture, field="logo"))).load()


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(5),
        a_png()[:-1],
        a_png()[:-12],
        a_png()[:40] + b"\0" + a_png()[41:],
        a_png(width=0),
        a_png(height=2_001),
        a_png(head=b"\x07\x02\x00\x00\x00"),
        a_png(head=b"\x08\x02\x01\x00\x00"),
        a_png(head=b"\x08\x02\x00\x01\x00"),
        a_png(head=b"\x08\x02\x00\x00\x01"),
        a_png(head=b"\x08\x02\x00\x00"),
        a_png(rows=bytes(51)),
        a_png(rows=bytes(53)),
        a_png(head=b"\x08\x03\x00\x00\x00", rows=bytes(20)),
        a_palette(colours=b""),
        a_png().replace(b"IDAT", b"IDAX"),
        a_png(rows=bytes(20_000_000)),
        a_png() + bytes(200_000),
    ],
)
def test_what_cannot_be_read_is_refused(picture: bytes) -> None:
    with pytest.raises(InvalidField) as refusal:
        check_png(picture, field="logo")

    assert refusal.value.field == "logo"


def test_rows_that_are_not_packed_are_refused() -> None:
    packed = zlib.compress(bytes(52))
    whole = a_png()
    broken = whole.replace(part(b"IDAT", packed), part(b"IDAT", b"not packed"))

    assert broken != whole
    with pytest.raises(InvalidField):
        check_png(broken, field="logo")
