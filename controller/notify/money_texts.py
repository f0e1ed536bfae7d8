"""What is said about money: one part of an SMS, or a letter. PURE.

Names that staff or payers chose are cut and spelt so that a sentence fits one part of the GSM 7-bit
alphabet; a link is added where there is room, and never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from controller.notify.email import EmailOut
from controller.notify.gsm7 import GSM7_ALONE, is_gsm7, parts
from controller.notify.texts import TABLES
from portal.account.messages import gsm7

if TYPE_CHECKING:
    from collections.abc import Sequence

AMOUNT_MAX = 24
"""Letters of the largest `Money` there is: an amount is never cut."""

LETTERS_MAX = {
    "operator": 20,
    "amount": AMOUNT_MAX,
    "open": AMOUNT_MAX,
    "wallet": AMOUNT_MAX,
    "receipt": 16,
    "plan": 20,
    "site": 20,
    "source": 16,
    "who": 20,
    "device": 24,
    "network": 20,
    "at": 16,
}
"""How much of each value an SMS shows."""

RAILS = {
    "mpesa": "M-PESA",
    "airtel": "Airtel Money",
    "card": "card",
    "bank": "bank",
    "cash": "cash",
}
"""What payers call the rails; another one is called by its own name."""


def sms_text(
    key: str, language: str, *, link: str = "", link_key: str = "receipt", **values: str
) -> str:
    """The sentence of ``key`` in one part, followed by the link if that fits.

    ``link_key`` is how the link is spoken of: it leads to the receipt unless said otherwise.

    A ``receipt`` may be "": then none is mentioned. Raises KeyError for an unknown key.
    """
    table = _table(language)
    cut = {name: gsm7(value).strip()[: LETTERS_MAX[name]] for name, value in values.items()}
    if "receipt" in cut:
        cut["receipt"] = f", {cut['receipt']}" if cut["receipt"] else ""
    text = table[key].format(**cut)
    if link:
        longer = f"{text} {table[link_key].format(link=link)}"
        text = longer if is_gsm7(longer) and len(longer) <= GSM7_ALONE else text
    # Invariant: our own sentences with values at their longest fit; a test tries them all.
    assert parts(text) == 1, f"{len(text)} characters do not fit one part"
    return text


def words(key: str, language: str, **values: str) -> str:
    """The sentence of ``key`` for a letter, values whole. Raises KeyError for an unknown key."""
    if "receipt" in values:
        values["receipt"] = f", {values['receipt']}" if values["receipt"] else ""
    return _table(language)[key].format(**values)


def rail_name(rail: str) -> str:
    """How payers call a rail."""
    return RAILS.get(rail, rail)


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter before it is put into words and HTML: sentences, figures with labels, and a link."""

    language: str
    name: str
    subject: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    link: str = ""
    link_key: str = "mail.see"
    operator: str = ""
    colour: str = ""


def letter(draft: Draft, *, to: str) -> EmailOut:
    """The letter, as plain text and as HTML that says the same and loads nothing."""
    table = _table(draft.language)
    name = draft.name.strip()
    hello = table["mail.hello"].format(name=name) if name else table["mail.hello_nobody"]
    facts = [(table[key], value) for key, value in draft.facts if value]
    see = table[draft.link_key] if draft.link else ""
    return EmailOut(
        to=to,
        subject=f"{draft.operator}: {draft.subject}" if draft.operator else draft.subject,
        text=_plain(draft, hello, facts, see),
        html=_html(draft, hello, facts, see),
    )


def _plain(draft: Draft, hello: str, facts: Sequence[tuple[str, str]], see: str) -> str:
    blocks = [hello, "\n".join(draft.sentences)]
    blocks += ["\n".join(f"{label}: {value}" for label, value in facts)] if facts else []
    blocks += [f"{see}:\n{draft.link}"] if see else []
    blocks += [draft.operator] if draft.operator else []
    return "\n\n".join(blocks) + "\n"


def _html(draft: Draft, hello: str, facts: Sequence[tuple[str, str]], see: str) -> str:
    colour = escape(draft.colour or "#1c2430")
    rows = "".join(
        f'<tr><td style="padding:4px 16px 4px 0;color:#465063">{escape(label)}</td>'
        f'<td style="padding:4px 0"><b>{escape(value)}</b></td></tr>'
        for label, value in facts
    )
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in draft.sentences)
    link = f'<p><a href="{escape(draft.link)}" style="color:{colour}">{escape(see)}</a></p>'
    return (
        f'<!doctype html><html lang="{escape(draft.language)}"><meta charset="utf-8">'
        '<body style="font:16px/1.5 sans-serif;color:#1c2430;max-width:36rem;margin:0 auto">'
        f'<p style="border-top:4px solid {colour};padding-top:12px"><b>{escape(draft.operator)}</b>'
        f"</p><p>{escape(hello)}</p>{said}"
        + (f'<table style="border-collapse:collapse">{rows}</table>' if rows else "")
        + (link if see else "")
        + "</body></html>"
    )


def _table(language: str) -> dict[str, str]:
    return TABLES.get(language, TABLES["en"])
