"""A file that a form of a page sends along (multipart/form-data, RFC 7578). PURE."""

from __future__ import annotations

from email import message_from_bytes, policy

from billing.errors import InvalidField


def picture_of(body: bytes, content_type: str, field: str) -> bytes:
    """The bytes of the file in a field. Raises `InvalidField` naming it.

    Its name and its own word about what it is are not read: nobody believes them anyway.
    """
    if not content_type.startswith("multipart/form-data"):
        raise InvalidField(field, "want a file")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = message_from_bytes(head + body, policy=policy.HTTP)
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == field:
            found = part.get_payload(decode=True)
            if isinstance(found, bytes) and found:
                return found
    raise InvalidField(field, "choose a picture first")
