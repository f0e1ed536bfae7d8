"""Every word of the pages of money has its Swahili."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from controller.noc.paint import HERE
from controller.noc.words import SWAHILI

if TYPE_CHECKING:
    from pathlib import Path

TEXT = r'"((?:[^"\\]|\\.)*)"'
SAID = re.compile(rf"(?<![\w.])(?:_|word)\(\s*{TEXT}")
COUNTED = re.compile(rf"(?<![\w.])_n\(\s*{TEXT},\s*{TEXT}")

FOLDERS = (
    "money", "payments", "exceptions", "plans", "vouchers", "counter", "reports", "invoices",
    "setup",
)  # fmt: skip
MODULES = (
    "money_board.py", "navigation.py", "pages/payments.py", "pages/exceptions.py",
    "pages/plans.py", "pages/vouchers.py", "pages/counter.py", "pages/reports.py",
    "pages/setup.py", "pages/setup_accounts.py", "setup_board.py",
)  # fmt: skip


def texts_in(source: str) -> set[str]:
    return set(SAID.findall(source)) | {one for pair in COUNTED.findall(source) for one in pair}


FILES = [
    *(path for folder in FOLDERS for path in sorted((HERE / "templates" / folder).glob("*.html"))),
    *(HERE / module for module in MODULES),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_is_left_in_english(path: Path) -> None:
    lacking = texts_in(path.read_text(encoding="utf-8")) - SWAHILI.keys()

    assert sorted(lacking) == []


def test_values_stand_in_both_languages() -> None:
    named = re.compile(r"\{(\w+)\}")
    wrong = [
        english
        for english, swahili in SWAHILI.items()
        if set(named.findall(english)) != set(named.findall(swahili))
    ]

    assert wrong == []
