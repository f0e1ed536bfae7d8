"""How somebody wants the dashboard to look: language, theme, private things covered. PURE.

It is kept in a cookie of the browser and says nothing about anybody, so it is not sealed; what
cannot be read is the usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.noc.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Collection

COOKIE = "lango_look"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Preferences:
    """One browser's choice."""

    language: str = "en"
    theme: str = "auto"
    redacted: bool = False

    def __post_init__(self) -> None:
        """Hold what is known."""
        assert self.language in LANGUAGES
        assert self.theme in THEMES

    def written(self) -> str:
        """As a cookie: ``sw.dark.1``."""
        return f"{self.language}.{self.theme}.{int(self.redacted)}"


def read(cookie: str, accepted_languages: str = "") -> Preferences:
    """What a browser sent; without a choice, Swahili for a browser that asks for it first."""
    language, _, rest = cookie.partition(".")
    theme, _, redacted = rest.partition(".")
    first = accepted_languages.strip()[:2].lower()
    return Preferences(
        language=_known(language, LANGUAGES) or _known(first, LANGUAGES) or "en",
        theme=_known(theme, THEMES) or "auto",
        redacted=redacted == "1",
    )


def _known(chosen: str, choices: Collection[str]) -> str:
    return chosen if chosen in choices else ""
