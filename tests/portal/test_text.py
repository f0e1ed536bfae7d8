"""Every sentence exists in every language, with the same blanks."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from billing.payment import OrderStage, Reason
from portal.captive.gate import Refusal
from portal.captive.pages import TEMPLATES
from portal.captive.text import TABLES, Tongue, tongue

ENGLISH, KISWAHILI = TABLES["en"], TABLES["sw"]


def blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_keys() -> None:
    assert ENGLISH.keys() == KISWAHILI.keys()


def test_a_sentence_has_the_same_blanks_in_both_languages() -> None:
    uneven = [key for key in ENGLISH if blanks(ENGLISH[key]) != blanks(KISWAHILI[key])]

    assert uneven == []


def test_no_sentence_was_left_in_the_other_language() -> None:
    same = {k for k in ENGLISH if ENGLISH[k] == KISWAHILI[k] and not blanks(ENGLISH[k])}

    assert {k for k in same if not k.startswith("month.")} == set()


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(language: str, reason: Reason) -> None:
    assert TABLES[language][f"reason.{reason}"]


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("stage", OrderStage)
def test_every_stage_has_a_sentence(language: str, stage: OrderStage) -> None:
    assert TABLES[language][f"stage.{stage}"]


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_sentence(language: str, refusal: Refusal) -> None:
    assert TABLES[language][f"refusal.{refusal}"]


def test_every_sentence_is_used_and_none_is_missing() -> None:
    sources = "".join(
        p.read_text()
        for kind in ("*.html", "*.py")
        for p in TEMPLATES.parents[1].rglob(kind)
        if "text" not in p.parts
    )
    named = set(re.findall(r"""["']([a-z]+(?:\.[a-z_]+)?)["']""", sources))
    by_value = ("reason.", "stage.", "refusal.", "unit.", "weekday.", "month.", "action.")
    unused = {k for k in ENGLISH if not k.startswith(by_value)} - named

    assert unused - {"name"} == set()


@pytest.mark.parametrize(
    ("accepted", "default", "spoken"),
    [
        ("", "en", "en"),
        ("", "sw", "sw"),
        ("sw", "en", "sw"),
        ("sw-KE,en;q=0.8", "en", "sw"),
        ("en-GB,sw;q=0.8", "en", "en"),
        ("en-GB,en;q=0.9", "sw", "sw"),
        ("en;q=0.5, sw;q=0.9", "en", "sw"),
        ("fr, de;q=0.3", "sw", "sw"),
        ("fr", "xx", "en"),
        ("sw;q=banana", "en", "sw"),
        ("sw;q=", "en", "sw"),
        ("sw;q=0", "en", "en"),
        (";;,,;q=1,=", "en", "en"),
    ],
)
def test_the_browser_and_the_site_choose_the_language(
    accepted: str, default: str, spoken: str
) -> None:
    assert tongue(asked=None, accepted=accepted, default=default) == Tongue(spoken)


def test_what_the_customer_asked_for_wins_and_is_remembered() -> None:
    assert tongue(asked="sw", accepted="en", default="en") == Tongue("sw", chosen=True)


def test_an_unknown_language_is_not_spoken() -> None:
    assert tongue(asked="../en", accepted="", default="en") == Tongue("en")


def test_a_chosen_language_goes_along_with_every_link() -> None:
    assert Tongue("sw", chosen=True).link("/o/1", "add=1") == "/o/1?add=1&lang=sw"


def test_a_guessed_language_leaves_links_alone() -> None:
    assert Tongue("sw").link("/help") == "/help"
