"""Where the ``lango`` command writes: stdout is data, stderr is talk.

Data is a table of at most 80 columns, or with ``--json`` one JSON object that names its schema.
No colours and no control characters unless a terminal is looking, and none with ``NO_COLOR``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.cli.columns import GAP, widths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.cli.faults import Fault

WIDTH_MAX = 80
INDENT = "  "
TONES = {"good": "green", "busy": "yellow", "bad": "red", "quiet": "bright_black"}


class Screen:
    """One command's output."""

    def __init__(self, *, plain: bool = False) -> None:
        self._out = _console(sys.stdout, plain=plain)
        self._err = _console(sys.stderr, plain=plain)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        """Rows under headings; a heading that starts with ``>`` aligns to the right.

        The first column says which thing a row is, and those at the right are amounts: they are
        never folded, for people copy them and add them up. Others are folded between words.
        """
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        whole = [place == 0 or heading.startswith(">") for place, heading in enumerate(headings)]
        cells = [
            [heading.removeprefix(">"), *(str(row[place]) for row in rows)]
            for place, heading in enumerate(headings)
        ]
        fitting = widths(cells, whole=whole, room=self._out.width)
        for heading, kept, width in zip(headings, whole, fitting, strict=True):
            table.add_column(
                heading.removeprefix(">"),
                justify="right" if heading.startswith(">") else "left",
                overflow="fold",
                no_wrap=kept,
                width=width,
            )
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        self._out.print(table)

    def fields(self, pairs: Sequence[tuple[str, str | Text]]) -> None:
        """One thing, a field a line."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(name, value if isinstance(value, Text) else Text(value))
        self._out.print(table)

    def json(self, schema: str, content: Mapping[str, Any]) -> None:
        """One JSON object that begins with its schema."""
        sys.stdout.write(
            json.dumps({"schema": f"lango.{schema}/v1", **content}, indent=2, ensure_ascii=False)
            + "\n"
        )

    def line(self, text: str) -> None:
        """One line of data, as it is."""
        sys.stdout.write(f"{text}\n")

    def say(self, text: str) -> None:
        """Talk."""
        self._err.print(Text(text))

    def fault(self, fault: Fault) -> None:
        """What went wrong, why, and what to do next."""
        self._err.print(Text("error: ", style="bold red") + Text(fault.what, style=""))
        if fault.why:
            self._err.print(Text(f"{INDENT}why:  {fault.why}"))
        if fault.next_step:
            self._err.print(Text(f"{INDENT}next: {fault.next_step}"))


def toned(word: str, tone: str) -> Text:
    """A state by its word, and by colour where there is one."""
    return Text(word, style=TONES[tone])


def _console(out: Any, *, plain: bool) -> Console:
    looked_at = out.isatty() and os.environ.get("TERM") != "dumb"
    colours = looked_at and not plain and not os.environ.get("NO_COLOR")
    return Console(
        file=out,
        width=None if looked_at else WIDTH_MAX,
        force_terminal=colours,
        color_system="auto" if colours else None,
        no_color=not colours,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=not looked_at and out is sys.stderr,
    )
