"""What a browser posts, as plain fields. PURE."""

from __future__ import annotations

from urllib.parse import parse_qs

FORM_BYTES_MAX = 8_192
FIELDS_MAX = 200


class BadForm(Exception):  # noqa: N818 - a refusal, see style
    """The body is not a form that a page of ours sends."""


def read_form(body: bytes) -> dict[str, str]:
    """Field → value, the last one of each name. Raises `BadForm`."""
    if len(body) > FORM_BYTES_MAX:
        raise BadForm(f"want at most {FORM_BYTES_MAX:,} bytes")
    try:
        pairs = parse_qs(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except ValueError as error:
        raise BadForm("is not a form") from error
    return {name: values[-1] for name, values in pairs.items()}
