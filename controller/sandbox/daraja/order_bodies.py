"""What M-PESA Ratiba asks for and writes: standing orders, in both of its spellings. PURE.

Source: the M-PESA Ratiba page of the Daraja portal, whose samples of success and failure differ in
the case of every key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from controller.sandbox.daraja.requests import (
    ACCOUNT_CHARS_MAX,
    AMOUNT_MAX,
    as_text,
    invalid,
    is_msisdn,
    may_call_back,
)

if TYPE_CHECKING:
    from controller.sandbox.daraja.settings import SimSettings

PAY_BILL = "Standing Order Customer Pay Bill"
PAY_TILL = "Standing Order Customer Pay Marchant"
"""The portal's own spelling."""
FREQUENCIES = {
    "1": "once",
    "2": "daily",
    "3": "weekly",
    "4": "monthly",
    "5": "every two months",
    "6": "every quarter",
    "7": "every half-year",
    "8": "yearly",
}
NO_RECEIPT = "0000000000"
_NAME_CHARS_MAX = 40
_OK = "The service request is processed successfully."
_TEXTS = {
    "1032": "Request cancelled by user",
    "1037": "DS timeout user cannot be reached",
    "2001": "The initiator information is invalid.",
}


@dataclass(frozen=True, slots=True)
class OrderAsked:
    """A standing order that passed all checks."""

    name: str
    msisdn: str
    shillings: int
    account: str
    place: str
    frequency: str
    since: date
    until: date
    callback_url: str
    description: str

    def words(self, business: str) -> str:
        """What the payer's phone asks."""
        account = f", account no. {self.account}" if self.account else ""
        return (
            f"Do you want to pay KES {self.shillings:,} {FREQUENCIES[self.frequency]} to"
            f" {business}{account}, until {self.until.day}/{self.until.month}/{self.until.year}?"
        )


def read_standing_order(
    fields: dict[str, Any], settings: SimSettings, *, today: date
) -> OrderAsked:
    """The order in ``fields``. Raises `Refused` for the first field that cannot be."""
    name = as_text(fields, "StandingOrderName")
    if not 1 <= len(name) <= _NAME_CHARS_MAX:
        raise invalid("StandingOrderName")
    since, until = _day(fields, "StartDate"), _day(fields, "EndDate")
    if since < today:
        raise invalid("StartDate")
    if until < since:
        raise invalid("EndDate")
    place = _place(fields, settings)
    amount = as_text(fields, "Amount")
    if not amount.isascii() or not amount.isdigit() or not 1 <= int(amount[:9]) <= AMOUNT_MAX:
        raise invalid("Amount")
    if not is_msisdn(as_text(fields, "PartyA")):
        raise invalid("PartyA")
    url = fields.get("CallBackURL")
    if not isinstance(url, str) or not may_call_back(url):
        raise invalid("CallBackURL")
    account = as_text(fields, "AccountReference")
    if len(account) > ACCOUNT_CHARS_MAX or not (account or place == settings.till):
        raise invalid("AccountReference")
    frequency = as_text(fields, "Frequency")
    if frequency not in FREQUENCIES:
        raise invalid("Frequency")
    return OrderAsked(
        name=name,
        msisdn=as_text(fields, "PartyA"),
        shillings=int(amount),
        account=account,
        place=place,
        frequency=frequency,
        since=since,
        until=until,
        callback_url=url,
        description=as_text(fields, "TransactionDesc"),
    )


def _place(fields: dict[str, Any], settings: SimSettings) -> str:
    kind, place = fields.get("TransactionType"), as_text(fields, "BusinessShortCode")
    wanted = {PAY_BILL: (settings.shortcode, "4"), PAY_TILL: (settings.till, "2")}
    if kind not in wanted:
        raise invalid("TransactionType")
    right, identifier = wanted[kind]
    if place != right:
        raise invalid("BusinessShortCode")
    if as_text(fields, "ReceiverPartyIdentifierType") != identifier:
        raise invalid("ReceiverPartyIdentifierType")
    return place


def accepted(reference: str) -> dict[str, Any]:
    """The answer to an order that was taken: the payer is asked for his PIN now."""
    words = "Request accepted for processing"
    return {
        "ResponseHeader": {
            "responseRefID": reference,
            "responseCode": "200",
            "responseDescription": words,
            "ResultDesc": _OK,
        },
        "ResponseBody": {"responseDescription": words, "responseCode": "200"},
    }


def callback(reference: str, *, code: str, receipt: str, msisdn: str, other_case: bool) -> bytes:
    """The news of an order: small keys for a success and capital ones for a failure.

    ``other_case`` turns that round. The receipt of a success is the order's, not a payment's.
    """
    is_agreed = code == "0"
    head = {
        "responseRefID": reference,
        "responseCode": code,
        "responseDescription": _OK if is_agreed else _TEXTS.get(code, "Declined"),
    }
    told = (
        ("TransactionID", receipt if is_agreed else NO_RECEIPT),
        ("responseCode", code),
        ("Status", "OKAY" if is_agreed else "ERROR"),
        ("Msisdn", f"{msisdn[:3]}******{msisdn[-3:]}"),
    )
    body: dict[str, Any] = {
        "responseHeader": head,
        "responseBody": {"responseData": [{"name": n, "value": v} for n, v in told]},
    }
    return json.dumps(body if is_agreed != other_case else _capital(body)).encode()


def _capital(told: Any) -> Any:
    """The same with a capital at the beginning of each key."""
    if isinstance(told, dict):
        return {key[0].upper() + key[1:]: _capital(value) for key, value in told.items()}
    return [_capital(one) for one in told] if isinstance(told, list) else told


def _day(fields: dict[str, Any], name: str) -> date:
    text = as_text(fields, name)
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day, no moment
    except ValueError as error:
        raise invalid(name) from error
