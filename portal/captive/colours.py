"""The operator's colour, made readable: whatever it is, words in it and on it can be read.

Contrast is that of WCAG 2.2 (relative luminance of sRGB; 4.5 to 1 is its level AA for text). A
colour that is too light for light paper is darkened towards black, and for dark paper lightened
towards white, by no more than is needed: an operator who chose well sees exactly what he chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

AA = 4.5
"""The contrast that text needs."""

NEARLY_BLACK = 0.04045
"""Below, sRGB is linear."""

STEPS = 100
TINT_LIGHT, TINT_DARK = 12, 18
"""How much of the colour stands in the ground of what is chosen, of a hundred."""

BLACK, WHITE = "#000000", "#ffffff"
PAPER_LIGHT, CARD_LIGHT = "#faf6ee", "#ffffff"
PAPER_DARK, CARD_DARK = "#14181a", "#1f2629"
"""The grounds of ``style.css``."""

SHADES_KEPT_MAX = 16


@dataclass(frozen=True, slots=True)
class Shade:
    """One colour at work: ``go`` for links and buttons, ``on_go`` on it, ``tint`` under words."""

    go: str
    on_go: str
    tint: str


def shade(colour: str, *, grounds: tuple[str, ...], dark: bool = False) -> Shade:
    """How ``#rrggbb`` is used on these grounds, of which the last is that of cards."""
    tint = mixed(grounds[-1], colour, TINT_DARK if dark else TINT_LIGHT)
    go = readable(colour, (*grounds, tint), toward=WHITE if dark else BLACK)
    return Shade(go, max((BLACK, WHITE), key=lambda ink: contrast(ink, go)), tint)


def readable(colour: str, grounds: tuple[str, ...], *, toward: str) -> str:
    """The colour, or the nearest to it on the way ``toward`` another that reads on all grounds."""
    tried = (mixed(colour, toward, share) for share in range(STEPS + 1))
    return next((c for c in tried if min(contrast(c, g) for g in grounds) >= AA), toward)


def mixed(one: str, other: str, share: int) -> str:
    """``one`` with so much of the ``other`` in it, of a hundred."""
    parts = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{(a * (STEPS - share) + b * share) // STEPS:02x}" for a, b in parts)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=SHADES_KEPT_MAX)
def style(colour: str) -> str:
    """What follows the portal's style sheet so that it is in the operator's colour; "" for ""."""
    if not colour:
        return ""
    light = shade(colour, grounds=(PAPER_LIGHT, CARD_LIGHT))
    dark = shade(colour, grounds=(PAPER_DARK, CARD_DARK), dark=True)
    return f"{_root(light)}@media (prefers-color-scheme:dark){{{_root(dark)}}}"


def _root(one: Shade) -> str:
    return f":root{{--go:{one.go};--on-go:{one.on_go};--tint:{one.tint}}}"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    linear: float = part / 12.92 if part <= NEARLY_BLACK else ((part + 0.055) / 1.055) ** 2.4
    return linear
