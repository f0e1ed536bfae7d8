"""The words of the dashboard: English in the templates, Swahili here, a file for each part. PURE.

A template says ``_("English")``, with values as ``_("{n} online", n=3)``; ``_n("one site", "{n}
sites", n)`` chooses by number. Code that decides on a word marks it by `word`. What has no Swahili
is shown in English, and a test finds it. The texts want the review of a native speaker.
"""

from __future__ import annotations

from controller.noc.words import (
    alerts,
    audit,
    joining,
    money,
    network,
    offering,
    overview,
    people,
    setup,
    shell,
    sign_in,
    why,
)

LANGUAGES = {"en": "English", "sw": "Kiswahili"}

SWAHILI: dict[str, str] = {
    **shell.WORDS,
    **overview.WORDS,
    **network.WORDS,
    **people.WORDS,
    **money.WORDS,
    **audit.WORDS,
    **why.WORDS,
    **sign_in.WORDS,
    **alerts.WORDS,
    **joining.WORDS,
    **setup.WORDS,
    **offering.WORDS,
}


def word(english: str) -> str:
    """The same word, marked as one that is shown and has to have its Swahili."""
    return english


def said(language: str, english: str, **values: object) -> str:
    """A text in a language, with its values filled in."""
    text = SWAHILI.get(english, english) if language == "sw" else english
    return text.format(**values) if values else text


def counted(language: str, one: str, many: str, n: int) -> str:
    """A text by number; ``{n}`` is the number with its thousands apart."""
    return said(language, one if n == 1 else many, n=f"{n:,}")
