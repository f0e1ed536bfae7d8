"""The cards that exist in this world, and what each does. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_NOISE = re.compile(r"[\s\-]+")
_EXPIRY = re.compile(r"(0[1-9]|1[0-2])\s*/\s*(?:20)?([0-9]{2})")
_CVV = re.compile(r"[0-9]{3,4}")


class Manner(StrEnum):
    """What a card does when it is charged."""

    PAYS = "pays"
    DECLINES = "declines"
    ASKS = "asks"  # its bank wants its holder to confirm, on the page and also later


@dataclass(frozen=True, slots=True)
class Card:
    """One card of this world."""

    number: str
    brand: str
    manner: Manner
    hint: str


CARDS = {
    card.number: card
    for card in (
        Card("4084084084084081", "visa", Manner.PAYS, "pays"),
        Card("5060990580000217", "mastercard", Manner.PAYS, "pays"),
        Card("4084080000005408", "visa", Manner.DECLINES, "is declined"),
        Card("4000000000003220", "visa", Manner.ASKS, "asks its holder first"),
    )
}
PAYS = "4084084084084081"


class BadCard(Exception):  # noqa: N818 - a refusal, see style
    """What was typed is no card; the message is for the payer."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A card as it was typed, with its end."""

    card: Card
    exp_month: str
    exp_year: str


def read_card(number: str, expiry: str, cvv: str) -> Typed:
    """The card in what a payer typed. Raises `BadCard`."""
    card = CARDS.get(_NOISE.sub("", number))
    if card is None:
        raise BadCard("There is no such card here. Take one from the list.")
    until = _EXPIRY.fullmatch(expiry.strip())
    if until is None:
        raise BadCard("The expiry wants a month and a year, like 12/30.")
    if not _CVV.fullmatch(cvv.strip()):
        raise BadCard("The CVV wants three digits.")
    return Typed(card, until[1], f"20{until[2]}")
