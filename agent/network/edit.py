"""New values for keys of one table of a TOML text, all else as it stands. PURE."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = re.compile(r"\s*\[")


def with_values(text: str, table: str, values: Mapping[str, str]) -> str:
    """The text with ``key = "value"`` in ``[table]`` for each; comments and order are kept.

    The caller reads the outcome and looks whether it says what it should: this knows only the
    plain way of writing TOML.
    """
    lines = text.splitlines()
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    begin = next((n for n, line in enumerate(lines) if header.fullmatch(line)), None)
    if begin is None:
        return text
    end = next((n for n in range(begin + 1, len(lines)) if _HEADER.match(lines[n])), len(lines))
    body = lines[begin + 1 : end]
    for key, value in values.items():
        body = _with(body, key, value)
    return "\n".join([*lines[: begin + 1], *body, *lines[end:]]) + "\n"


def _with(body: list[str], key: str, value: str) -> list[str]:
    written = re.compile(rf'(\s*{re.escape(key)}\s*=\s*)(?:"[^"]*"|\'[^\']*\')(.*)')
    for number, line in enumerate(body):
        if match := written.fullmatch(line):
            return [*body[:number], f'{match[1]}"{value}"{match[2]}', *body[number + 1 :]]
    return [f'{key} = "{value}"', *body]
