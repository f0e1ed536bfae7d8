"""A file that a form of a page sends along (multipart/form-data, RFC 7578). PURE.

Read by what browsers send, and no more of MIME than that: parsers of mail take parts within parts
and every spelling of a header, and seconds or an exception for those that are meant badly.
"""

from __future__ import annotations

import re

from billing.errors import InvalidField

PARTS_MAX = 8
HEAD_BYTES_MAX = 2_048

_KIND = re.compile(r'multipart/form-data\s*;\s*boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?')
_NAME = re.compile(rb'(?im)^content-disposition:[ \t]*form-data;[ \t]*name="([^"\r\n]{0,64})"')


def picture_of(body: bytes, content_type: str, field: str) -> bytes:
    """The bytes of the file in a field. Raises `InvalidField` naming it.

    Its name and its own word about what it is are not read: nobody believes them anyway.
    """
    kind = _KIND.fullmatch(content_type.strip())
    if kind is None:
        raise InvalidField(field, "choose a file")
    line = b"\r\n--" + kind[1].encode()
    for part in (b"\r\n" + body).split(line, PARTS_MAX)[1:PARTS_MAX]:
        head, _, content = part.partition(b"\r\n\r\n")
        named = _NAME.search(head[:HEAD_BYTES_MAX])
        if named is not None and named[1] == field.encode() and content:
            return content
    raise InvalidField(field, "choose a file")
