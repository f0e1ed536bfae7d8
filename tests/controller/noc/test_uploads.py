"""A file that a form sends: found as browsers send it; whatever else comes is refused at once."""

from __future__ import annotations

import time

import pytest

from billing.errors import InvalidField
from controller.noc.uploads import picture_of

KIND = "multipart/form-data; boundary=----WebKitFormBoundaryAbC123"
HEAD = b'Content-Disposition: form-data; name="logo"; filename="a.png"\r\nContent-Type: image/png'
PICTURE = b"\x89PNG\r\n\x1a\n--not the end\r\n\r\n\0"


def sent(*parts: tuple[bytes, bytes], mark: bytes = b"----WebKitFormBoundaryAbC123") -> bytes:
    """A body as browsers send it."""
    told = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (mark, head, body) for head, body in parts)
    return told + b"--%s--\r\n" % mark


def test_the_file_of_a_field_is_its_bytes() -> None:
    other = b'Content-Disposition: form-data; name="other"'
    body = sent((other, b'name="logo"'), (HEAD, PICTURE))

    assert picture_of(body, KIND, "logo") == PICTURE
    assert picture_of(body, KIND.replace("----", '"----') + '"', "logo") == PICTURE


NESTED = b"".join(
    b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
    for n in range(3_000)
)
LETTERS = b"--B\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 6_000
NO_FILES = {
    "no form": (b"x", "text/plain"),
    "no boundary": (sent((HEAD, PICTURE)), "multipart/form-data"),
    "another boundary": (sent((HEAD, PICTURE)), "multipart/form-data; boundary=B"),
    "no file chosen": (sent((HEAD, b"")), KIND),
    "cut off": (b"--B\r\n" + HEAD, "multipart/form-data; boundary=B"),
    "parts within parts": (NESTED, "multipart/form-data; boundary=b0"),
    "letters within letters": (LETTERS, "multipart/form-data; boundary=B"),
    "many parts": (b"--B\r\n" * 40_000, "multipart/form-data; boundary=B"),
    "many words": (
        sent((b"Content-Disposition: form-data; " + b"a=b;" * 50_000, b"x"), mark=b"B"),
        "multipart/form-data; boundary=B",
    ),
    "many brackets": (
        sent((b"Content-Disposition: form-data; " + b"(" * 200_000, b"x"), mark=b"B"),
        "multipart/form-data; boundary=B",
    ),
    "many coded words": (
        sent((b"Content-Disposition: " + b"=?utf-8?q?a?= " * 14_000, b"x"), mark=b"B"),
        "multipart/form-data; boundary=B",
    ),
    "half a parameter": (
        sent((b"Content-Disposition: form-data; name=logo';0*", b"x"), mark=b"B"),
        "multipart/form-data; boundary=B",
    ),
}


@pytest.mark.parametrize("what", NO_FILES)
def test_what_is_no_file_is_refused_at_once(what: str) -> None:
    body, kind = NO_FILES[what]
    began = time.process_time()
    with pytest.raises(InvalidField, match="logo"):
        picture_of(body, kind, "logo")

    assert time.process_time() - began < 0.5, "everybody else waits meanwhile"
