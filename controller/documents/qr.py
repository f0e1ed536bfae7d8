"""QR codes, as dark runs for a printer and as SVG for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import segno

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET = 4
"""Light modules around the code, which readers need."""

MASK = 3
"""Which of the eight patterns is laid over a code. To try them all takes four times as long, and
readers find blurred codes with any of them equally well."""

Run = tuple[int, int, int]
"""Row, first column and length of neighbouring dark modules, with the quiet zone counted."""


def runs(text: str) -> tuple[int, tuple[Run, ...]]:
    """How many modules a side has, quiet zone included, and where it is dark."""
    code = segno.make(text, error="m", micro=False, boost_error=False, mask=MASK)
    rows = [bytes(row) for row in code.matrix]
    dark = tuple(
        (n + QUIET, start + QUIET, length)
        for n, row in enumerate(rows)
        for start, length in _dark(row)
    )
    return len(rows) + 2 * QUIET, dark


def svg(text: str) -> str:
    """The same as an SVG element without style, script or size in pixels."""
    side, dark = runs(text)
    path = "".join(f"M{start} {row}h{length}v1h-{length}z" for row, start, length in dark)
    return (
        f'<svg viewBox="0 0 {side} {side}" role="img" shape-rendering="crispEdges">'
        f'<title>QR</title><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path fill="#000" d="{path}"/></svg>'
    )


def _dark(row: bytes) -> Iterator[tuple[int, int]]:
    """Where dark stretches of a row begin, and how long they are."""
    start = None
    for column, module in enumerate((*row, 0)):
        if module and start is None:
            start = column
        elif not module and start is not None:
            yield start, column - start
            start = None
