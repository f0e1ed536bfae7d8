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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.invoice import Line

_JSON = json.JSONEncoder(ensure_ascii=False)


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


def frozen(seller: Seller, buyer: Buyer, lines: Sequence[Line], **more: object) -> str:
    """The JSON of a document."""
    rest = _JSON.encode({"buyer": _fields(buyer), "classes": classes(lines), **more})
    return f'{{"seller": {_seller(seller)}, {rest[1:]}'


@lru_cache(1_024)
def _seller(seller: Seller) -> str:
    return _JSON.encode(_fields(seller))


@lru_cache(4)
def logo_name(picture: bytes | None) -> str:
    """By which name a logo is kept: the hash of its bytes; empty for none."""
    return hashlib.sha256(picture).hexdigest() if picture else ""


def classes(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The sums of lines for each tax class and its rates, in the order in which they come."""
    groups: dict[tuple[str, int, int], list[Line]] = {}
    for line in lines:
        rates = (line.tax_class, line.rates.excise_bp, line.rates.vat_bp)
        groups.setdefault(rates, []).append(line)
    return [_class(*rates, of) for rates, of in groups.items()]


def _class(tax_class: str, excise_bp: int, vat_bp: int, of: Sequence[Line]) -> dict[str, Any]:
    net = sum([line.taxed.net.minor for line in of])
    excise = sum([line.taxed.excise.minor for line in of])
    vat = sum([line.taxed.vat.minor for line in of])
    return {
        "tax_class": tax_class,
        "excise_bp": excise_bp,
        "vat_bp": vat_bp,
        "net_minor": net,
        "excise_minor": excise,
        "vat_minor": vat,
        "total_minor": net + excise + vat,
    }


def _fields(of: Seller | Buyer) -> Mapping[str, str]:
    return {name: getattr(of, name) for name in type(of).__slots__}
