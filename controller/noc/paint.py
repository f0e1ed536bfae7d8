"""Templates and what they can say: one environment for each language, plain or redacted."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from billing.money import Money
from controller.noc import kenya, text
from controller.noc.words import counted, said

if TYPE_CHECKING:
    from controller.noc.hub import Style

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
COVER = "•"
COVERED_MAX = 8


@cache
def environment(style: Style) -> Environment:
    """The templates, ready to be rendered in a style."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        _=partial(said, style.language),
        _n=partial(counted, style.language),
        language=style.language,
        redacted=style.redacted,
        static=static_address,
        kenya=kenya,
    )
    made.filters.update(
        private=partial(private, redacted=style.redacted),
        phone=partial(phone, redacted=style.redacted),
        money=partial(money, redacted=style.redacted),
        rate=text.rate,
        volume=text.volume,
        span=partial(text.span, language=style.language),
        ago=partial(text.ago, language=style.language),
        clock=text.clock,
        minute=text.minute,
    )
    return made


def rendered(template: str, style: Style, **values: object) -> str:
    """A template's text."""
    return environment(style).get_template(template).render(**values)


@cache
def static_address(name: str) -> str:
    """Where a static file is, by a name that changes with what is in it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/noc/static/{name}?v={digest}"


def private(shown: object, *, redacted: bool) -> str:
    """A name or an amount; covered, all but its first letter, for a picture of the screen."""
    words = str(shown)
    if not redacted or not words:
        return words
    return words[0] + COVER * min(COVERED_MAX, max(3, len(words) - 1))


def phone(msisdn: str | None, *, redacted: bool = False) -> str:
    """A phone number as people say it, without its middle: ``0712 ••• 678``."""
    if not msisdn:
        return ""
    national = f"0{msisdn[3:]}" if msisdn.startswith("254") else msisdn
    if redacted:
        return f"{national[:2]}{COVER * 2} {COVER * 3} {COVER * 3}"
    return f"{national[:4]} {COVER * 3} {national[-3:]}"


def money(minor: int, currency: str = "KES", *, redacted: bool = False) -> str:
    """An amount in minor units as people read it."""
    return f"{currency} {COVER * 4}" if redacted else str(Money(minor, currency))
