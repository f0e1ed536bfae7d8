"""Whose money it is, when nothing exact says so: what a payer typed, who paid, and how much. PURE.

Payers type an account number wrong, put their name there, or nothing. `certain` places money by
itself, only where exactly one subscriber is named; everything else is a suggestion with its reasons
for people to judge. A payer's number is told whole, masked or hashed, depending on the rail.

Source of the forms of a payer's number: Safaricom Daraja 3.0 documentation, customer to business
(SHA-256 of ``2547…`` in version 1, ``2547 ***** 126`` in version 2).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money
from billing.msisdn import Msisdn, parse_msisdn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from billing.ids import SubscriberId

REFERENCE_MAX = 64
"""More of a reference than this says nothing."""

POINTS_MAX = 100
SUGGESTIONS_MAX = 5
SUGGESTION_POINTS_MIN = 20
"""Less than this is chance: it is not worth anybody's look."""

NEAR_CHARS_MIN = 6
"""A shorter reference is near to too many others."""

NAME_CHARS_MIN = 3
HASH_CHARS_MIN = 60  # the portal prints a sample of 62 digits: no exact length is to be had
MASK_SHOWN_MIN = 3  # digits shown at the end: fewer fit too many

_PHONE = re.compile(r"(?<![0-9])(?:\+?254|0)[\s\-.]?[17](?:[\s\-.]?[0-9]){8}(?![0-9])", re.ASCII)
_WORD = re.compile(r"[A-Z]+")
_HASH = re.compile(rf"[0-9a-f]{{{HASH_CHARS_MIN},64}}")
_MASKED = re.compile(r"\+?([0-9]*)[*X•]+([0-9]*)")
_FOLD = str.maketrans("OI", "01")


class Why(StrEnum):
    """What speaks for a candidate."""

    ACCOUNT = "account"  # the reference holds the account number
    INVOICE = "invoice"  # the reference is the number of an open invoice
    REFERENCE = "reference"  # the reference is one that we gave for this subscriber
    LOOKS_ALIKE = "looks_alike"  # … but for O and 0, or I and 1
    ONE_OFF = "one_off"  # … but for one character
    TWO_OFF = "two_off"  # … but for two characters
    AMOUNT = "amount"  # the amount is that of an open invoice, or of all of them
    NAMES = "names"  # two or more words of the name
    NAME = "name"  # one word of the name
    PAYER = "payer"  # the payer's number is the subscriber's, or paid for the subscriber before
    PAYER_MASKED = "payer_masked"  # … as far as it is shown


POINTS = {
    Why.ACCOUNT: 90,
    Why.INVOICE: 90,
    Why.REFERENCE: 90,
    Why.LOOKS_ALIKE: 75,
    Why.ONE_OFF: 50,
    Why.TWO_OFF: 25,
    Why.AMOUNT: 20,
    Why.NAMES: 30,
    Why.NAME: 15,
    Why.PAYER: 40,
    Why.PAYER_MASKED: 20,
}
"""What each reason is worth. Their sum is bounded by `POINTS_MAX`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of money: as the payer typed it, and as the provider tells it."""

    amount: Money
    reference: str = field(default="", repr=False)
    payer: str = field(default="", repr=False)
    payer_name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Owed:
    """An open invoice: its number as it is printed, and what is open of it."""

    number: str
    open: Money


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscriber whose money it may be. The phone is the account number.

    ``references`` are those that we gave for this subscriber's payments, ``payers`` the numbers
    that paid for this subscriber before, as they were told.
    """

    subscriber_id: SubscriberId
    msisdn: Msisdn = field(repr=False)
    name: str = field(default="", repr=False)
    owed: tuple[Owed, ...] = ()
    references: tuple[str, ...] = ()
    payers: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Score:
    """How much speaks for a candidate: 0 to 100 points, and what it is."""

    points: int
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A candidate and what speaks for it."""

    candidate: Candidate
    score: Score


def normal_reference(text: str) -> str:
    """A reference in upper case, without spaces, dashes and other signs: ``INVMAIN000001``."""
    shown = unicodedata.normalize("NFKC", text[:REFERENCE_MAX]).upper()
    return "".join(c for c in shown if c.isascii() and c.isalnum())


def folded(reference: str) -> str:
    """A normal reference in which letters that look like digits are digits: O is 0, I is 1."""
    return reference.translate(_FOLD)


def phone_in(text: str) -> Msisdn | None:
    """The phone number that a text is, or holds; None for none, or for more than one."""
    typed = text[:REFERENCE_MAX]
    for form in (typed, folded(typed.upper())):
        try:
            return parse_msisdn(form)
        except InvalidField:
            pass
        found = {parse_msisdn(number) for number in _PHONE.findall(form)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def certain(told: Told, candidates: Iterable[Candidate]) -> Candidate | None:
    """The one candidate whose account number or open invoice the reference names, exactly.

    None when there is none, or when it names several: then people decide.
    """
    reference, phone = normal_reference(told.reference), phone_in(told.reference)
    named = {
        one.subscriber_id: one
        for one in candidates
        if one.msisdn == phone or any(normal_reference(o.number) == reference for o in one.owed)
    }
    return next(iter(named.values())) if len(named) == 1 else None


def suggest(told: Told, candidates: Iterable[Candidate]) -> tuple[Suggestion, ...]:
    """Who it may be, best first: at most `SUGGESTIONS_MAX`, whatever the order they came in."""
    found = [Suggestion(one, score(told, one)) for one in candidates]
    worth = [s for s in found if s.score.points >= SUGGESTION_POINTS_MIN]
    worth.sort(key=lambda s: (-s.score.points, s.candidate.subscriber_id))
    return tuple(worth[:SUGGESTIONS_MAX])


def score(told: Told, candidate: Candidate) -> Score:
    """What speaks for a candidate."""
    reasons = tuple(_reasons(told, candidate))
    return Score(min(sum(POINTS[why] for why in reasons), POINTS_MAX), reasons)


def _reasons(told: Told, candidate: Candidate) -> Iterator[Why]:
    for found in (
        _by_reference(told.reference, candidate),
        _by_amount(told.amount, candidate),
        _by_name(told, candidate),
        _by_payer(told.payer, candidate),
    ):
        if found is not None:
            yield found


def _by_reference(text: str, candidate: Candidate) -> Why | None:
    reference = normal_reference(text)
    if phone_in(text) == candidate.msisdn:
        return Why.ACCOUNT
    if not reference:
        return None
    invoices = {normal_reference(owed.number) for owed in candidate.owed}
    if reference in invoices:
        return Why.INVOICE
    given = {normal_reference(one) for one in candidate.references}
    if reference in given:
        return Why.REFERENCE
    phone = candidate.msisdn
    known = invoices | given | {phone, phone[3:], f"0{phone[3:]}"}
    return _nearly(folded(reference), {folded(one) for one in known})


def _nearly(reference: str, known: Iterable[str]) -> Why | None:
    """How far a folded reference is from the nearest of those that are known."""
    if len(reference) < NEAR_CHARS_MIN:
        return None
    off = min(distance(reference, one) for one in known)
    return {0: Why.LOOKS_ALIKE, 1: Why.ONE_OFF, 2: Why.TWO_OFF}.get(off)


def distance(one: str, other: str) -> int:
    """How many slips of the finger lie between two texts; 3 stands for three and more.

    A slip is a character too many, too few or wrong, or two neighbours in the wrong order.
    """
    far = 3
    if abs(len(one) - len(other)) >= far:
        return far
    before, row = [far] * (len(other) + 1), list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                best = min(best, older[j - 2] + 1)
            row.append(best)
        if min(row) >= far:
            return far
    return min(row[-1], far)


def _by_amount(amount: Money, candidate: Candidate) -> Why | None:
    opened = [owed.open for owed in candidate.owed if owed.open.currency == amount.currency]
    whole = Money(sum(each.minor for each in opened), amount.currency)
    return Why.AMOUNT if opened and amount in (*opened, whole) else None


def _by_name(told: Told, candidate: Candidate) -> Why | None:
    """Words of the candidate's name in the payer's, or in what was typed as account."""
    shared = _words(candidate.name) & (_words(told.payer_name) | _words(told.reference))
    if len(shared) > 1:
        return Why.NAMES
    return Why.NAME if shared else None


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text[:REFERENCE_MAX]).upper()
    return {word for word in _WORD.findall(plain) if len(word) >= NAME_CHARS_MIN}


def _by_payer(payer: str, candidate: Candidate) -> Why | None:
    """Whether the payer's number is the candidate's, or one that paid for the candidate before."""
    told = "".join(payer.split())
    if not told:
        return None
    masked = _MASKED.fullmatch(told.upper())
    if payer in candidate.payers:
        return Why.PAYER if masked is None else Why.PAYER_MASKED
    if is_number_of(payer, candidate.msisdn) is not True:
        return None
    return Why.PAYER if masked is None else Why.PAYER_MASKED


def is_number_of(payer: str, msisdn: Msisdn) -> bool | None:
    """Whether a payer's number is this one, as far as it is told; None where it says too little."""
    told = "".join(payer.split())
    masked = _MASKED.fullmatch(told.upper())
    if masked is not None:
        return None if len(masked[2]) < MASK_SHOWN_MIN else _fits(masked[1], masked[2], msisdn)
    if _HASH.fullmatch(told.lower()):
        hashed = sha256(msisdn.encode()).hexdigest()
        return hashed == told.lower() if len(told) == len(hashed) else None
    phone = phone_in(told)
    return None if phone is None else phone == msisdn


def _fits(start: str, end: str, msisdn: Msisdn) -> bool:
    """Whether a number of which these digits are shown can be ``msisdn``."""
    return any(
        len(start) + len(end) <= len(form) and form.startswith(start) and form.endswith(end)
        for form in (msisdn, f"0{msisdn[3:]}")
    )
