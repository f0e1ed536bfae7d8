"""What a document prints beside its lines, as it was on the day of issue. PURE.

It is kept as JSON in the document's row, so that neither a new address nor a new name changes what
was issued. Keys of every document:

* ``seller``: ``name``, ``pin``, ``branch``, ``kra_branch``, ``address``, ``phone``, ``email``,
  ``pay_to``, ``colour``, ``logo`` (the name of a picture that is kept by it, or nothing)
* ``buyer``: ``name``, ``pin``, ``address``, ``phone``
* ``classes``: for each tax class and its rates ``tax_class``, ``excise_bp``, ``vat_bp``,
  ``net_minor``, ``excise_minor``, ``vat_minor``, ``total_minor``

A credit note also has ``of`` (the invoice: ``number``, ``issued_at``), a receipt ``received``
(``id``, ``rail``, ``place``, ``receipt``, ``note``) and ``paid`` (a list of ``number`` and
``amount_minor``: the invoices that the money went to), ``received_at``, and ``wallet_minor``, what
the wallet held after it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.invoice import Line
    from controller.store.billing_rows import BranchRow, OperatorRow
    from controller.store.rows import SubscriberRow

_JSON = json.JSONEncoder(ensure_ascii=False)
_quoted = encode_basestring


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells, at which branch, and how its papers look."""

    name: str
    pin: str
    branch: str
    kra_branch: str
    address: str
    phone: str
    email: str
    pay_to: str
    colour: str
    logo: str


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who is charged."""

    name: str
    pin: str
    address: str
    phone: str


def seller_of(operator: OperatorRow, branch: BranchRow) -> Seller:
    """The operator as its papers show it, at a branch."""
    return Seller(
        name=operator.name,
        pin=operator.kra_pin,
        branch=branch.name,
        kra_branch=branch.kra_branch,
        address=branch.address,
        phone=branch.phone,
        email=branch.email,
        pay_to=operator.pay_to,
        colour=operator.colour,
        logo=logo_name(operator.logo),
    )


def buyer_of(who: SubscriberRow) -> Buyer:
    """A subscriber as its papers show it."""
    return Buyer(name=who.name, pin=who.kra_pin, address=who.address, phone=who.msisdn)


def frozen(seller: Seller, buyer: Buyer, lines: Sequence[Line], **more: object) -> str:
    """The JSON of a document."""
    rest = f", {_JSON.encode(more)[1:-1]}" if more else ""
    return (
        f'{{"seller": {_seller(seller)}, "buyer": {_buyer(buyer)}, "classes": [{_classes(lines)}]'
        f"{rest}}}"
    )


def _buyer(buyer: Buyer) -> str:
    return (
        f'{{"name": {_quoted(buyer.name)}, "pin": {_quoted(buyer.pin)}, '
        f'"address": {_quoted(buyer.address)}, "phone": {_quoted(buyer.phone)}}}'
    )


@lru_cache(1_024)
def _seller(seller: Seller) -> str:
    return _JSON.encode(_fields(seller))


@lru_cache(4)
def logo_name(picture: bytes | None) -> str:
    """By which name a logo is kept: the hash of its bytes; empty for none."""
    return hashlib.sha256(picture).hexdigest() if picture else ""


def _classes(lines: Sequence[Line]) -> str:
    """The sums of lines for each tax class and its rates, in the order in which they come."""
    groups: dict[tuple[str, int, int], tuple[int, int, int]] = {}
    for line in lines:
        of = (line.tax_class, line.rates.excise_bp, line.rates.vat_bp)
        net, excise, vat = groups.get(of, (0, 0, 0))
        more = line.taxed
        groups[of] = (net + more.net.minor, excise + more.excise.minor, vat + more.vat.minor)
    return ", ".join([_class(of, sums) for of, sums in groups.items()])


def _class(of: tuple[str, int, int], sums: tuple[int, int, int]) -> str:
    (tax_class, excise_bp, vat_bp), (net, excise, vat) = of, sums
    return (
        f'{{"tax_class": {_quoted(tax_class)}, "excise_bp": {excise_bp}, "vat_bp": {vat_bp}, '
        f'"net_minor": {net}, "excise_minor": {excise}, "vat_minor": {vat}, '
        f'"total_minor": {net + excise + vat}}}'
    )


def _fields(of: Seller) -> Mapping[str, str]:
    return {name: getattr(of, name) for name in type(of).__slots__}
