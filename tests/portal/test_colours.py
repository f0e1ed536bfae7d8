"""Whatever colour an operator has, its portal can be read, on light paper and on dark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.captive.colours import (
    AA,
    CARD_DARK,
    CARD_LIGHT,
    PAPER_DARK,
    PAPER_LIGHT,
    contrast,
    shade,
    style,
)

LIGHT, DARK = (PAPER_LIGHT, CARD_LIGHT), (PAPER_DARK, CARD_DARK)
INK_LIGHT, INK_DARK = "#20261f", "#f1efe8"
"""Of words on a tint, as ``style.css`` has them."""

colours = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


@given(colours)
def test_words_in_the_colour_and_on_it_can_be_read(colour: str) -> None:
    for grounds, ink, dark in ((LIGHT, INK_LIGHT, False), (DARK, INK_DARK, True)):
        one = shade(colour, grounds=grounds, dark=dark)
        pairs = [(one.go, ground) for ground in (*grounds, one.tint)]
        pairs += [(one.on_go, one.go), (ink, one.tint)]

        assert min(contrast(a, b) for a, b in pairs) >= AA, (colour, one)


@pytest.mark.parametrize("colour", ["#0a6b47", "#123456", "#8c1d0d"])
def test_a_colour_that_reads_on_light_paper_stays_as_it_is(colour: str) -> None:
    assert shade(colour, grounds=LIGHT).go == colour


@pytest.mark.parametrize(
    ("one", "other", "known"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, known: float) -> None:
    assert round(contrast(one, other), 2) == pytest.approx(known, abs=0.005)


def test_without_a_colour_the_portal_keeps_its_own() -> None:
    assert style("") == ""
