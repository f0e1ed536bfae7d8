"""M-PESA Ratiba: a standing order that the payer agrees to by PIN, and M-PESA then runs. PURE.

Whether the payer agreed comes later, by callback (``mpesa_result.read_ratiba``); each execution
comes as any other payment from the payer's menu, with our account as reference. There is no door to
cancel one: the payer does that. Source: Daraja 3.0 documentation, M-PESA Ratiba.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from billing.money import whole_units
from controller.payments.codes import normal_code
from controller.payments.gateway import ProviderError
from controller.payments.mpesa_initiator import Acked
from controller.payments.mpesa_wire import account_reference, answer_in, description, provider_id_in

if TYPE_CHECKING:
    from datetime import date
    from typing import Any

    from billing.money import Money
    from billing.msisdn import Msisdn
    from controller.payments.mpesa_settings import MpesaSettings

RATIBA_PATH = "/standingorder/v1/createStandingOrderExternal"
NAME_CHARS_MAX = 40
_PAYBILL_TYPE = "Standing Order Customer Pay Bill"
_TAKEN = "200"


class Frequency(Enum):
    """How often a standing order pays, in Daraja's numbers."""

    ONCE = "1"
    DAILY = "2"
    WEEKLY = "3"
    MONTHLY = "4"
    TWO_MONTHLY = "5"
    QUARTERLY = "6"
    HALF_YEARLY = "7"
    YEARLY = "8"


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """What a payer is asked to agree to. ``name`` is unique for the payer in its first 40 letters.

    ``account`` comes back with every execution (cut to 12 letters and digits). First and last day
    are Nairobi's.
    """

    name: str
    amount: Money
    msisdn: Msisdn = field(repr=False)
    account: str
    description: str
    starts_on: date
    ends_on: date
    frequency: Frequency
    callback_url: str = field(repr=False)


def ratiba_body(settings: MpesaSettings, order: StandingOrder) -> dict[str, str | int]:
    """The body that asks a payer for a standing order."""
    shillings = whole_units(order.amount)
    assert shillings is not None, "M-PESA moves whole shillings"
    assert shillings >= 1, "M-PESA moves at least one shilling"
    return {
        "StandingOrderName": order.name[:NAME_CHARS_MAX],
        "StartDate": f"{order.starts_on:%Y%m%d}",
        "EndDate": f"{order.ends_on:%Y%m%d}",
        "BusinessShortCode": settings.party_b,
        "TransactionType": _PAYBILL_TYPE if settings.till is None else settings.ratiba_till_type,
        "ReceiverPartyIdentifierType": settings.identifier_type,
        "Amount": str(shillings),
        "PartyA": order.msisdn,
        "CallBackURL": order.callback_url,
        "AccountReference": account_reference(order.account),
        "TransactionDesc": description(order.description),
        "Frequency": order.frequency.value,
    }


def read_ratiba_ack(status: int, body: bytes) -> Acked:
    """The reference of a request that was taken. Raises `ProviderError`."""
    header = answer_in(status, body).get("ResponseHeader")
    fields: dict[str, Any] = header if isinstance(header, dict) else {}
    code = normal_code(fields.get("responseCode"))
    reference = provider_id_in(fields.get("responseRefID"))
    if code != _TAKEN or reference is None:
        raise ProviderError(code if code not in (None, _TAKEN) else "unreadable", again=False)
    return Acked(reference, "")
