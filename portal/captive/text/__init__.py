"""Every sentence that a customer reads, by key, in each language. PURE.

- ``en.py``  English
- ``sw.py``  Kiswahili

A test proves that both tables have the same keys with the same blanks, and that every reason,
order stage and refusal has its sentence. Keys that count end in ``.one`` and ``.many``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from portal.captive.text import en, sw

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES = {"en": en.TEXTS, "sw": sw.TEXTS}
"""The tables by ISO 639-1 code."""

ACCEPT_ITEMS_MAX = 16
"""Languages looked at in one Accept-Language header; the rest is ignored."""

HEADERS_KEPT_MAX = 64
"""Accept-Language headers whose answer is remembered."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language to speak. ``chosen`` when the customer asked for it, then links carry it along."""

    code: str
    chosen: bool = False

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of ``key`` with its blanks filled. Raises KeyError for an unknown key."""
        return TABLES[self.code][key].format(**values)

    def counted(self, key: str, n: int) -> str:
        """The sentence for ``n`` things."""
        return self(f"{key}.one" if n == 1 else f"{key}.many", n=n)

    @property
    def other(self) -> str:
        """The code of the language that the switch leads to."""
        return "en" if self.code == "sw" else "sw"

    @property
    def other_name(self) -> str:
        """What that language calls itself."""
        return TABLES[self.other]["name"]

    def switch(self, path: str, query: str = "") -> str:
        """``path`` inside the portal in the other language."""
        return Tongue(self.other, chosen=True).link(path, query)

    def link(self, path: str, query: str = "") -> str:
        """``path`` inside the portal, keeping the choice of language."""
        wanted = [query] if query else []
        if self.chosen:
            wanted.append(f"lang={self.code}")
        return f"{path}?{'&'.join(wanted)}" if wanted else path


def tongue(
    *, asked: str | None, accepted: str, default: str, offered: Sequence[str] = tuple(TABLES)
) -> Tongue:
    """The language for a request: what was asked, else Kiswahili if preferred, else the site's.

    None but those ``offered``, as far as we speak them.

    ``accepted`` is the Accept-Language header. English in it says little (phones ship with it), so
    it does not overrule the site's own language.
    """
    spoken = [code for code in offered if code in TABLES] or ["en"]
    if asked in spoken:
        return Tongue(asked, chosen=True)
    if "sw" in spoken and _preferred(accepted) == "sw":
        return Tongue("sw")
    return Tongue(default if default in spoken else spoken[0])


@lru_cache(maxsize=HEADERS_KEPT_MAX)
def _preferred(accepted: str) -> str | None:
    """The best-rated language of the header that we speak; order breaks ties."""
    rated: list[tuple[int, int, str]] = []
    for at, item in enumerate(accepted.split(",")[:ACCEPT_ITEMS_MAX]):
        tag, _, rest = item.strip().lower().partition(";")
        code = tag.strip().partition("-")[0]
        if code in TABLES and _rating(rest) > 0:
            rated.append((-_rating(rest), at, code))
    return min(rated)[2] if rated else None


def _rating(parameter: str) -> int:
    """A q-value in thousandths (RFC 9110 §12.4.2); anything unreadable counts as 1."""
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1000
    whole, _, decimals = value.strip().partition(".")
    digits = whole[:1] + (decimals + "000")[:3]
    return int(digits) if whole and digits.isascii() and digits.isdigit() else 1000
