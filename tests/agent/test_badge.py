"""Badges: only the site's own are believed, and each for its own grant."""

from __future__ import annotations

import pytest

from agent.badge import mark, read, written
from billing.ids import GrantId
from tests.support.site import a_mac

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
GRANT, OTHER_GRANT = GrantId("a" * 32), GrantId("b" * 32)


def test_a_badge_says_its_grant_and_its_device() -> None:
    badge = read(KEY, written(KEY, GRANT, a_mac("a")))

    assert badge is not None
    assert (badge.grant_id, badge.mark) == (GRANT, mark(KEY, GRANT, a_mac("a")))


def test_a_badge_says_no_mac() -> None:
    text = written(KEY, GRANT, a_mac("a"))

    assert a_mac("a").replace(":", "") not in text.replace(":", "")


def test_a_badge_of_another_site_is_not_believed() -> None:
    assert read(KEY, written(OTHER_KEY, GRANT, a_mac("a"))) is None


def test_a_badge_cannot_be_carried_over_to_another_grant() -> None:
    _, name, signature = written(KEY, GRANT, a_mac("a")).split(".")

    assert read(KEY, f"{OTHER_GRANT}.{name}.{signature}") is None


def test_a_badge_cannot_be_given_to_another_device() -> None:
    grant, _, signature = written(KEY, GRANT, a_mac("a")).split(".")

    assert read(KEY, f"{grant}.{mark(KEY, GRANT, a_mac('b'))}.{signature}") is None


def test_one_device_has_other_marks_for_other_grants() -> None:
    assert mark(KEY, GRANT, a_mac("a")) != mark(KEY, OTHER_GRANT, a_mac("a"))


@pytest.mark.parametrize("at", range(0, 82, 9))
def test_no_character_of_a_badge_can_be_changed(at: int) -> None:
    text = written(KEY, GRANT, a_mac("a"))
    changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]

    assert read(KEY, changed) is None


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "x" * 5000, "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_is_no_badge_says_nothing(text: str) -> None:
    assert read(KEY, text) is None
