"""Slips of vouchers on A4, to be cut: a code, what it opens, and a QR code that types it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpdf import FPDF

from billing.voucher import shown
from controller.documents.paper import colour_of
from controller.documents.pdf import DARK, DEJAVU, GREY, draw_qr, face_for, load_dejavu, rgb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.voucher import VoucherCode
    from controller.documents.paper import Look

PORTAL_USUAL = "http://wifi.lango"
"""Where a customer's phone finds the portal of the site that it is at."""

COLUMNS, ROWS = 3, 8
SLIPS = COLUMNS * ROWS
SLIP_WIDTH, SLIP_HEIGHT = 63, 34
LEFT, TOP = 10.5, 12.5
MARK = 3
PAD, QR_SIDE = 3, 24
"""Millimetres."""


@dataclass(frozen=True, slots=True)
class Slips:
    """What stands on every slip of a batch. ``expires`` is empty where codes do not run out."""

    operator: str
    plan: str
    price: str
    detail: str
    expires: str
    batch: str
    help_phone: str
    look: Look
    portal: str = PORTAL_USUAL


def sheet(codes: Sequence[VoucherCode], slips: Slips, *, made_at: datetime) -> bytes:
    """A PDF with a slip for each code, 24 on a page."""
    pdf = FPDF(format="A4")
    texts = (slips.operator, slips.plan, slips.price, slips.detail, slips.help_phone)
    face = face_for(texts)
    if face == DEJAVU:
        load_dejavu(pdf, "", "B")
    pdf.set_auto_page_break(auto=False)
    pdf.set_creation_date(made_at)
    pdf.set_title(f"Vouchers {slips.batch}")
    for n, code in enumerate(codes):
        place = n % SLIPS
        if place == 0:
            pdf.add_page()
            _marks(pdf)
        x = LEFT + place % COLUMNS * SLIP_WIDTH
        y = TOP + place // COLUMNS * SLIP_HEIGHT
        _slip(pdf, face, code, slips, x, y)
    return bytes(pdf.output())


def link_of(code: VoucherCode, portal: str = PORTAL_USUAL) -> str:
    """An address at which the portal has the code in its field."""
    return f"{portal}/voucher?code={code}"


def _marks(pdf: FPDF) -> None:
    """A small cross at every corner of the slips."""
    pdf.set_draw_color(GREY)
    pdf.set_line_width(0.1)
    for column in range(COLUMNS + 1):
        for row in range(ROWS + 1):
            x, y = LEFT + column * SLIP_WIDTH, TOP + row * SLIP_HEIGHT
            pdf.line(x - MARK, y, x + MARK, y)
            pdf.line(x, y - MARK, x, y + MARK)


def _slip(pdf: FPDF, face: str, code: VoucherCode, slips: Slips, x: float, y: float) -> None:  # noqa: PLR0917 - where, and what
    width = SLIP_WIDTH - 2 * PAD - QR_SIDE
    draw_qr(
        pdf,
        link_of(code, slips.portal),
        x=x + SLIP_WIDTH - PAD - QR_SIDE + 2,
        y=y + PAD - 2,
        side=QR_SIDE,
    )
    pdf.set_text_color(rgb(colour_of(slips.look)))
    _say(pdf, slips.operator, x + PAD, y + 2.5, width, face=face, size=8, style="B")
    pdf.set_text_color(DARK)
    _say(pdf, slips.plan, x + PAD, y + 6.5, width, face=face, size=10, style="B")
    _say(pdf, slips.price, x + PAD, y + 11, width, face=face, size=10)
    pdf.set_text_color(GREY)
    small = (slips.detail, slips.expires and f"Use before {slips.expires}")
    for n, text in enumerate(text for text in small if text):
        _say(pdf, text, x + PAD, y + 15.5 + n * 3, width, face=face, size=6.5)
    pdf.set_text_color(DARK)
    pdf.set_font("courier", "B", 12)
    pdf.set_xy(x + PAD - pdf.c_margin, y + 23)
    pdf.cell(SLIP_WIDTH - 2 * PAD, 5, shown(code))
    pdf.set_text_color(GREY)
    foot = f"{slips.batch}   Help {slips.help_phone}" if slips.help_phone else slips.batch
    _say(pdf, foot, x + PAD, y + 28.5, SLIP_WIDTH - 2 * PAD, face=face, size=6.5)


def _say(
    pdf: FPDF,
    text: str,
    x: float,
    y: float,
    width: float,
    *,
    face: str,
    size: float,
    style: str = "",
) -> None:
    """One line at a place, set narrower where it would not fit."""
    pdf.set_font(face, style, size)
    wide = pdf.get_string_width(text)
    if wide > width:
        pdf.set_stretching(100 * (width - 0.5) / wide)
    pdf.set_xy(x - pdf.c_margin, y)
    pdf.cell(width + 2 * pdf.c_margin, size * 0.45, text)
    pdf.set_stretching(100)
