"""The text messages that customers get. PURE.

Each fits one part of a text message: 160 characters of the GSM 7-bit alphabet (GSM 03.38). One
curly apostrophe would make it UCS-2, 70 characters a part, and double what it costs. Names that
staff chose are cut and spelt so that they fit; what the customer has to type never is.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from portal.captive.text import Tongue, tongue

if TYPE_CHECKING:
    from datetime import date

PART_MAX = 160
SITE_MAX = 20
PLAN_MAX = 20
PHONE_MAX = 15
PAY_TO_MAX = 60

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The basic alphabet; one septet each."""

_SPELT = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u00b7", "''\"\"---")
"""Quotation marks, dashes and dots that word processors make, and what stands for them."""


def token_message(*, language: str, site: str, plan: str, code: str, help_phone: str) -> str:
    """What brings a token: the digits first, then what they are for and where to type them."""
    t = _tongue(language)
    text = t("sms.token", site=_cut(site, SITE_MAX), plan=_cut(plan, PLAN_MAX), code=code)
    phone = _cut(help_phone, PHONE_MAX)
    return _one_part(f"{text} {t('sms.help', phone=phone)}" if phone else text)


def code_message(*, language: str, site: str, code: str, minutes: int) -> str:
    """What brings the short code that proves a phone."""
    t = _tongue(language)
    return _one_part(t("sms.code", code=code, site=_cut(site, SITE_MAX), minutes=minutes))


def bill_message(
    *,
    language: str,
    operator: str,
    number: str,
    amount: str,
    due: date,
    today: date,
    pay_to: str,
    link: str = "",
) -> str:
    """What tells of an invoice: before its day, on it, and after.

    ``link`` is where the invoice is to be seen; it stands in place of how to pay, which is said
    there, as long as there is time and it fits.
    """
    t = _tongue(language)
    sentence = "bill.soon" if today < due else "bill.today" if today == due else "bill.late"
    text = t(
        sentence,
        operator=_cut(operator, SITE_MAX) or "Wi-Fi",
        amount=amount,
        number=number,
        day=f"{due:%d/%m/%Y}",
    )
    room = PART_MAX - len(text) - 1
    if today < due and 0 < len(link) <= room and set(link) <= GSM7:
        return _one_part(f"{text} {link}")
    pay = _cut(pay_to, min(PAY_TO_MAX, room))
    return _one_part(f"{text} {pay}" if pay else text)


def gsm7(text: str) -> str:
    """``text`` in letters that a message has; accents it lacks are left out, the rest is ``?``."""
    spelt = text.translate(_SPELT)
    return "".join(one if one in GSM7 else _plain(one) for one in spelt)


def _plain(letter: str) -> str:
    kept = [c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c)]
    return "".join(c if c in GSM7 else "?" for c in kept)


def _cut(text: str, length_max: int) -> str:
    return gsm7(text).strip()[:length_max].strip()


def _one_part(text: str) -> str:
    # Invariant: our own sentences with names at their longest fit; a test tries them all.
    assert len(text) <= PART_MAX, f"{len(text)} characters do not fit one part"
    assert set(text) <= GSM7, "a letter would double the cost"
    return text


def _tongue(language: str) -> Tongue:
    return tongue(asked=None, accepted="", default=language)
