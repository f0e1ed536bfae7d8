"""A paper as PDF, A4. The same paper always gives the same bytes.

Text is set in Helvetica, which every printer has; what holds a character that Helvetica lacks, a
name like Wanjikũ, in DejaVu Sans, of which the characters used are embedded.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from controller.documents import qr
from controller.documents.look import small_logo
from controller.documents.paper import colour_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.documents.paper import Paper, Table

FONTS = Path(__file__).resolve().parent / "fonts"
HELVETICA, DEJAVU = "helvetica", "dejavu"
HELVETICA_HAS = "latin-1"
DEJAVU_FILES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}

WIDTH, HEIGHT, MARGIN = 210, 297, 15
"""Millimetres; A4."""

INNER = WIDTH - 2 * MARGIN
BOTTOM = HEIGHT - 20
LOGO_WIDTH, LOGO_HEIGHT = 40, 18
QR_SIDE = 32
LINE, ROW = 5, 6
SMALL, USUAL, LARGE = 8, 9, 18
"""Sizes of letters, in points."""

DARK, GREY, PALE = (26, 26, 26), (95, 95, 95), (222, 222, 222)
GAP = 2
"""Room between two columns, in millimetres."""


class Sheet(FPDF):
    """Pages that say at the bottom which one they are, and of what."""

    def __init__(self, paper: Paper) -> None:
        super().__init__(format="A4")
        self.paper = paper
        self.set_auto_page_break(auto=False)
        self.set_margin(MARGIN)
        self.set_creation_date(paper.made_at)
        self.set_title(f"{paper.title} {paper.number}".strip())
        self.set_author(paper.seller[0])
        self.set_lang("en-KE")

    def footer(self) -> None:
        """The name of the paper, and the page."""
        self.set_y(HEIGHT - 12)
        name = f"{self.paper.title} {self.paper.number}".strip()
        self.pen(name, size=SMALL)
        self.set_text_color(GREY)
        self.cell(INNER / 2, LINE, name)
        self.cell(INNER / 2, LINE, f"{self.page_no()} / {{nb}}", align="R")

    def pen(self, *texts: str, style: str = "", size: int = USUAL) -> None:
        """Take up the letters in which all of these can be written."""
        face = face_for(texts)
        if face == DEJAVU and f"{DEJAVU}{style}" not in self.fonts:
            load_dejavu(self, style)
        self.set_font(face, style, size)

    def say(self, text: str, width: float, *, size: int = USUAL, **how: str) -> None:
        """One line of text from here, cut where it would leave its room."""
        self.pen(text, style=how.get("style", ""), size=size)
        align = how.get("align", "L")
        self.cell(width, LINE, self.cut(text, width), align=align, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def cut(self, text: str, width: float) -> str:
        """As much of a text as fits."""
        if self.get_string_width(text) <= width:
            return text
        while text and self.get_string_width(f"{text}...") > width:
            text = text[:-1]
        return f"{text}..."

    def folded(self, text: str, width: float) -> list[str]:
        """A text in lines that fit; a word that is longer than a line is cut into pieces."""
        lines, line = [], ""
        for word in text.split():
            for part in self._pieces(word, width):
                longer = f"{line} {part}" if line else part
                if self.get_string_width(longer) <= width:
                    line = longer
                else:
                    lines.append(line)
                    line = part
        return [*lines, line]

    def _pieces(self, word: str, width: float) -> list[str]:
        pieces = []
        while self.get_string_width(word) > width:
            length = len(word)
            while length > 1 and self.get_string_width(word[:length]) > width:
                length -= 1
            pieces.append(word[:length])
            word = word[length:]
        return [*pieces, word] if word else pieces

    def room(self, height: float) -> bool:
        """See to it that so much fits on this page; whether that made a new one."""
        if self.get_y() + height <= BOTTOM:
            return False
        self.add_page()
        return True


def drawn(paper: Paper) -> bytes:
    """The PDF of a paper."""
    sheet = Sheet(paper)
    sheet.add_page()
    _head(sheet)
    _parties(sheet)
    _table(sheet, paper.lines)
    _totals(sheet)
    if paper.classes is not None:
        sheet.ln(4)
        _table(sheet, paper.classes)
    _foot(sheet)
    return bytes(sheet.output())


def face_for(texts: Sequence[str]) -> str:
    """The face that can write all of it."""
    try:
        "".join(texts).encode(HELVETICA_HAS)
    except UnicodeEncodeError:
        return DEJAVU
    return HELVETICA


def load_dejavu(pdf: FPDF, *styles: str) -> None:
    """Make the face that is embedded known, in these styles: "" and "B"."""
    for style in styles:
        pdf.add_font(DEJAVU, style, FONTS / DEJAVU_FILES[style])


def draw_qr(pdf: FPDF, text: str, *, x: float, y: float, side: float) -> None:
    """A QR code with its quiet zone in a square."""
    modules, dark = qr.runs(text)
    step = side / modules
    pdf.set_fill_color(0)
    for row, start, length in dark:
        pdf.rect(x + start * step, y + row * step, length * step, step, "F")


def rgb(colour: str) -> tuple[int, int, int]:
    """``#0b6e4f`` as three numbers."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _head(sheet: Sheet) -> None:
    paper = sheet.paper
    sheet.set_fill_color(rgb(colour_of(paper.look)))
    sheet.rect(0, 0, WIDTH, 4, "F")
    top = float(MARGIN)
    if paper.look.logo is not None:
        top = _logo(sheet, paper.look.logo)
    sheet.set_xy(MARGIN, top)
    sheet.set_text_color(DARK)
    sheet.say(paper.seller[0], INNER / 2, size=11, style="B")
    sheet.set_text_color(GREY)
    for text in paper.seller[1:]:
        sheet.say(text, INNER / 2)
    end = sheet.get_y()
    sheet.set_xy(WIDTH / 2, MARGIN)
    sheet.set_text_color(rgb(colour_of(paper.look)))
    sheet.pen(paper.title, style="B", size=LARGE)
    sheet.cell(INNER / 2, 9, paper.title, align="R", new_x=XPos.LEFT, new_y=YPos.NEXT)
    sheet.set_text_color(DARK)
    sheet.say(paper.number, INNER / 2, size=11, style="B", align="R")
    sheet.set_y(max(end, sheet.get_y()) + 6)


def _logo(sheet: Sheet, png: bytes) -> float:
    """Draw it top left; where the text below it begins."""
    picture, width, height = small_logo(png)
    scale = min(LOGO_WIDTH / width, LOGO_HEIGHT / height)
    sheet.image(BytesIO(picture), MARGIN, 10, width * scale, height * scale)
    return 10 + height * scale + 3


def _parties(sheet: Sheet) -> None:
    """Who is charged, and beside it the facts."""
    top, half = sheet.get_y(), INNER / 2
    sheet.set_text_color(GREY)
    sheet.say("For", half, size=SMALL)
    sheet.set_text_color(DARK)
    sheet.say(sheet.paper.buyer[0], half - GAP, size=10, style="B")
    for text in sheet.paper.buyer[1:]:
        sheet.say(text, half - GAP)
    end = sheet.get_y()
    sheet.set_xy(WIDTH / 2, top)
    for name, text in sheet.paper.facts:
        _pair(sheet, name, text, x=WIDTH / 2, width=half)
    sheet.set_xy(MARGIN, max(end, sheet.get_y()) + 6)


def _pair(sheet: Sheet, name: str, text: str, *, x: float, width: float, style: str = "") -> None:
    y = sheet.get_y()
    sheet.set_xy(x, y)
    sheet.set_text_color(GREY)
    sheet.say(name, width / 3)
    sheet.set_xy(x + width / 3, y)
    sheet.set_text_color(DARK)
    sheet.say(text, width * 2 / 3, style=style, align="R")


def _table(sheet: Sheet, table: Table) -> None:
    widths = _widths(sheet, table)
    sheet.room(3 * ROW)
    _headings(sheet, table, widths)
    for row in table.rows:
        _row(sheet, table, row, widths)
    sheet.ln(2)


def _widths(sheet: Sheet, table: Table) -> list[float]:
    """As wide as what stands in a column; the one that is folded takes the rest."""
    sheet.pen(*table.headings, *(text for row in table.rows for text in row), style="B")
    widths = [
        max(sheet.get_string_width(text) for text in (heading.lstrip(">*"), *column)) + GAP * 2
        for heading, column in zip(
            table.headings,
            zip(*table.rows, strict=True) if table.rows else [()] * len(table.headings),
            strict=True,
        )
    ]
    for place, heading in enumerate(table.headings):
        if heading.startswith("*"):
            widths[place] = max(30.0, INNER - sum(widths) + widths[place])
    return widths


def _headings(sheet: Sheet, table: Table, widths: Sequence[float]) -> None:
    sheet.set_x(MARGIN)
    sheet.set_text_color(DARK)
    sheet.pen(*table.headings, style="B")
    for heading, width in zip(table.headings, widths, strict=True):
        align = "R" if heading.startswith(">") else "L"
        sheet.cell(width, ROW, heading.lstrip(">*"), align=align)
    sheet.ln(ROW)
    _rule(sheet, rgb(colour_of(sheet.paper.look)), 0.5)


def _row(sheet: Sheet, table: Table, row: Sequence[str], widths: Sequence[float]) -> None:
    sheet.pen(*row)
    cells = [
        sheet.folded(text, width - GAP) if heading.startswith("*") else [text]
        for heading, text, width in zip(table.headings, row, widths, strict=True)
    ]
    height = max(len(lines) for lines in cells) * (ROW - 1.5) + 1.5
    if sheet.room(height):
        _headings(sheet, table, widths)
        sheet.pen(*row)
    x, y = MARGIN + 0.0, sheet.get_y()
    sheet.set_text_color(DARK)
    for heading, lines, width in zip(table.headings, cells, widths, strict=True):
        for n, text in enumerate(lines):
            sheet.set_xy(x, y + n * (ROW - 1.5))
            sheet.cell(width, ROW, text, align="R" if heading.startswith(">") else "L")
        x += width
    sheet.set_xy(MARGIN, y + height)
    _rule(sheet, PALE, 0.2)


def _rule(sheet: Sheet, colour: tuple[int, int, int], width: float) -> None:
    sheet.set_draw_color(colour)
    sheet.set_line_width(width)
    sheet.line(MARGIN, sheet.get_y(), WIDTH - MARGIN, sheet.get_y())


def _totals(sheet: Sheet) -> None:
    sheet.room(len(sheet.paper.totals) * LINE + 4)
    last = len(sheet.paper.totals) - 1
    for n, (name, text) in enumerate(sheet.paper.totals):
        style = "B" if n == last else ""
        _pair(sheet, name, text, x=WIDTH / 2, width=INNER / 2, style=style)
    sheet.set_x(MARGIN)


def _foot(sheet: Sheet) -> None:
    """How to pay, and the code by which the paper is checked."""
    paper = sheet.paper
    sheet.room(QR_SIDE + 12 if paper.verify else len(paper.notes) * LINE + 6)
    sheet.ln(6)
    top = sheet.get_y()
    sheet.set_x(MARGIN)
    sheet.set_text_color(DARK)
    sheet.pen(*paper.notes)
    room = INNER - QR_SIDE - 8
    for note in paper.notes:
        for line in sheet.folded(note, room):
            sheet.say(line, room)
    if not paper.verify:
        return
    sheet.ln(2)
    sheet.set_text_color(GREY)
    sheet.set_x(MARGIN)
    sheet.say("Scan the code to see this document at its issuer.", room, size=SMALL)
    left = WIDTH - MARGIN - QR_SIDE
    draw_qr(sheet, paper.verify, x=left, y=top - 4, side=QR_SIDE)
    sheet.link(left, top - 4, QR_SIDE, QR_SIDE, paper.verify)
