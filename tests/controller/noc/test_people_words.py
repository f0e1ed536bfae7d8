"""Every word of the pages of people has its Swahili, with the same gaps."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from controller.noc import people_board
from controller.noc.pages import customers, search, sessions
from controller.noc.words import SWAHILI
from controller.noc.words.people import WORDS
from controller.noc.words.why import BY_CODE
from controller.usecases import commands
from controller.usecases.why_words import SAYS

TEMPLATES = Path(people_board.__file__).parent / "templates"
PARTS = ("search", "sessions", "customers", "usage")
SAID = re.compile(r"""_n?\((["'])((?:(?!\1).)+)\1""")
COUNTED = re.compile(r'_n\("[^"]+", "([^"]+)"')
IN_CODE = re.compile(r'(?:word|words_of\(request\))\(\s*"([^"]+)"')


def english() -> set[str]:
    found: set[str] = set()
    for path in [TEMPLATES / "people.html", *(p for d in PARTS for p in (TEMPLATES / d).glob("*"))]:
        text = path.read_text()
        found |= {match[2] for match in SAID.finditer(text)}
        found |= set(COUNTED.findall(text))
    for module in (customers, search, sessions, people_board):
        found |= set(IN_CODE.findall(Path(str(module.__file__)).read_text()))
    found |= {one.says for one in commands.OF_A_PHONE} | {one[1] for one in commands.PLAIN}
    return found | {one[1] for one in commands.PLACES}


def test_every_word_has_its_swahili() -> None:
    assert sorted(english() - set(SWAHILI)) == []


def test_every_finding_has_its_swahili() -> None:
    assert set(BY_CODE) == set(SAYS)


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", SAYS)
def test_a_finding_leaves_the_same_gaps_in_both_languages(code: str) -> None:
    assert [gaps(text) for text in BY_CODE[code]] == [gaps(text) for text in SAYS[code]]


def test_words_leave_the_same_gaps_in_both_languages() -> None:
    assert [w for w, swahili in WORDS.items() if gaps(w) != gaps(swahili)] == []
