"""Everything that the dashboard says, it says in Swahili too."""

from __future__ import annotations

import ast
import re

import pytest

from billing.payment import Reason
from controller.noc.words import SWAHILI, counted, said
from tests.test_imports import ROOT

NOC = ROOT / "controller" / "noc"
_SAID = re.compile(r"""\b_n?\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_MANY = re.compile(r"""\b_n\(\s*"[^"]*",\s*"([^"]*)\"""")
_VALUES = re.compile(r"\{[a-z_]*\}")


def templates() -> set[str]:
    """Every text that a template shows by ``_`` or ``_n``."""
    found = set[str]()
    for path in NOC.rglob("*.html"):
        text = path.read_text()
        found |= {one or other for one, other in _SAID.findall(text)}
        found |= set(_MANY.findall(text))
    return found


def marked() -> set[str]:
    """Every word that code decides on, and every sentence that a form is answered with."""
    found = set[str]()
    for path in NOC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"word", "say"}
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


def test_every_text_of_the_templates_has_its_swahili() -> None:
    assert len(templates()) > 100
    assert sorted(templates() - SWAHILI.keys()) == []


def test_every_word_that_code_decides_on_has_its_swahili() -> None:
    assert len(marked()) > 30
    assert sorted(marked() - SWAHILI.keys()) == []


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_of_a_refusal_has_its_swahili(reason: Reason) -> None:
    assert reason.value.replace("_", " ") in SWAHILI


def test_a_text_has_the_same_values_in_both_languages() -> None:
    guilty = [
        english
        for english, swahili in SWAHILI.items()
        if sorted(_VALUES.findall(english)) != sorted(_VALUES.findall(swahili))
    ]

    assert guilty == []


def test_values_are_filled_in_and_numbers_choose() -> None:
    assert said("sw", "{n} online", n=3) == "3 mtandaoni"
    assert counted("en", "1 alert", "{n} alerts", 1) == "1 alert"
    assert counted("en", "1 alert", "{n} alerts", 1_200) == "1,200 alerts"
    assert said("sw", "what nobody has translated") == "what nobody has translated"
