"""One box finds people and things, in the branches and by the rights of who asks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.msisdn import Msisdn
from billing.voucher import VoucherCode, new_code, shown
from controller.rights import Role, Who
from controller.store.billing_rows import BranchRow, DocumentRow
from controller.store.code_rows import VoucherRow
from controller.store.payment_rows import ArrivalRow
from controller.usecases.search import search
from controller.usecases.subscribers import (
    SubscriberChange,
    add_subscriber,
    change_subscriber,
)
from controller.usecases.vouchers import code_hash
from tests.support.office import (
    NOON,
    Office,
    a_grant,
    a_payment,
    a_plan,
    a_session,
    a_site,
    office,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["office"]

OWNER = Who("key", "the key", Role.OWNER)
NAMES = {
    "254712345678": "Wanjiku Kamau",
    "254712000001": "Kamau Otieno",
    "254733000002": "Ng'ang'a Wafula",
    "254110000003": "",
}
CODE = new_code(lambda below: 5 % below)


async def a_town(office: Office) -> None:
    """Four customers, one of them with a device, a payment, an invoice and a voucher; a branch."""
    await office.keep(
        BranchRow(
            id="thika",
            name="Thika",
            address="",
            phone="",
            email="",
            kra_branch="",
            created_at=NOON,
        )
    )
    ids = {
        phone: await add_subscriber(office.deps, Msisdn(phone), SubscriberChange(name=name))
        for phone, name in NAMES.items()
    }
    await change_subscriber(office.deps, "254733000002", SubscriberChange(branch_id="thika"))
    mine = ids["254712345678"]
    await office.keep(
        a_site(),
        a_site("thika-1", name="Thika Road", branch_id="thika"),
        a_plan(),
        a_payment(subscriber_id=mine, reference="AB12CD"),
        a_grant(subscriber_id=mine),
        a_session(mac="aa:bb:cc:dd:ee:0f", addresses="10.77.0.10 fe80::1"),
        a_session(
            "8" * 32,
            mac="aa:bb:cc:00:ee:0f",
            closed_at=NOON,
            closed_reason="idle",
            addresses="10.77.0.10",
        ),
        a_session("6" * 32, site_id="thika-1", mac="aa:bb:cc:dd:00:01", addresses="10.77.0.1"),
        an_arrival(),
        VoucherRow(
            code_hash=code_hash(office.deps, CODE),
            batch="easter",
            plan_id="hours-2",
            created_at=NOON,
        ),
        an_invoice(mine, 42),
        an_invoice(ids["254733000002"], 42, branch="thika"),
    )


def an_arrival(**fields: Any) -> ArrivalRow:
    usual = {
        "rail": "mpesa",
        "receipt": "RKT12ABC9Z",
        "place": "600111",
        "amount_minor": 1_000,
        "currency": "KES",
        "at": NOON,
        "seen_at": NOON,
        "roads": "callback",
        "state": "credited",
        "order_id": "a" * 32,
        "payer_name": "WANJIKU K",
    }
    return ArrivalRow(id="b" * 32, **{**usual, **fields})


def an_invoice(subscriber_id: str, number: int, branch: str = "main") -> DocumentRow:
    return DocumentRow(
        id=f"{branch}{number}".ljust(32, "0"),
        kind="invoice",
        series=f"INV-{branch}",
        number=number,
        subscriber_id=subscriber_id,
        branch_id=branch,
        cause=f"period:{number}",
        issued_at=NOON,
        currency="KES",
        net_minor=1_000,
        excise_minor=0,
        vat_minor=0,
        total_minor=1_000,
        frozen="{}",
    )


async def found(office: Office, typed: str, who: Who = OWNER) -> list[str]:
    async with office.deps.db.read() as tx:
        told = await search(tx, office.deps, who, typed)
    return sorted(_short(hit.kind, hit.msisdn, hit.name, hit.more) for hit in told.hits)


def _short(kind: str, msisdn: str, name: str, more: str) -> str:
    match kind:
        case "subscriber":
            return f"{kind}:{msisdn[3:]}"
        case "session":
            return f"{kind}:{more.split(maxsplit=1)[0][-5:]}"
        case _:
            return f"{kind}:{name}"


# What was typed, and what is found.
FOUND = """
  0712345678            | subscriber:712345678
  712                   | subscriber:712000001 subscriber:712345678
  +254 712 34           | subscriber:712345678
  5678                  | subscriber:712345678
  345678                | subscriber:712345678
  0110                  | subscriber:110000003
  wanjiku               | subscriber:712345678
  WANJ                  | subscriber:712345678
  kam                   | subscriber:712000001 subscriber:712345678
  kamau wan             | subscriber:712345678
  otieno kam            | subscriber:712000001
  otieno wan            | -
  nganga                | subscriber:733000002
  Ng'ang                | subscriber:733000002
  aa:bb:cc:dd:ee:0f     | session:ee:0f
  AABB.CCDD.EE0F        | session:ee:0f
  aa-bb-cc-dd-ee-0f     | session:ee:0f
  ee0f                  | session:ee:0f session:ee:0f
  aa:bb:cc              | session:00:01 session:ee:0f
  10.77.0.10            | session:ee:0f
  10.77.0.1             | session:00:01
  fe80:0::1             | session:ee:0f
  RKT12ABC9Z            | payment:RKT12ABC9Z
  rkt12abc              | payment:RKT12ABC9Z
  ab12cd                | payment:AB12CD
  {code}                | voucher:easter
  easter                | voucher:easter
  INV-main-000042       | document:INV-main-000042
  inv-thika-42          | document:INV-thika-000042
  42                    | document:INV-main-000042 document:INV-thika-000042
  thika                 | site:Thika_Road
  estate-1              | site:Estate_1
  %                     | -
  _                     | -
  nobody                | -
"""


async def test_each_spelling_finds_what_is_meant(office: Office) -> None:
    await a_town(office)
    for row in FOUND.strip().splitlines():
        typed, expected = (part.strip() for part in row.split("|"))
        hits = await found(office, typed.format(code=shown(VoucherCode(CODE)).lower()))

        shown_hits = " ".join(hit.replace(" ", "_") for hit in hits)
        assert (shown_hits or "-") == expected, typed


async def test_who_is_held_to_a_branch_finds_only_what_is_theirs(office: Office) -> None:
    await a_town(office)
    thika = Who("t", "T", Role.SUPPORT, frozenset({"thika"}))
    rows = {
        "0712345678": [],
        "254733": ["subscriber:733000002"],
        "kamau": [],
        "aa:bb:cc": ["session:00:01"],
        "10.77.0.10": [],
        "RKT12ABC9Z": [],
        "ab12cd": [],
        "42": ["document:INV-thika-000042"],
        "road": ["site:Thika Road"],
        "estate": [],
    }
    for typed, wanted in rows.items():
        assert await found(office, typed, thika) == wanted, typed


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        (Role.OWNER, {"subscriber", "session", "payment", "voucher", "document", "site"}),
        (Role.READ_ONLY, {"subscriber", "session", "payment", "voucher", "document", "site"}),
        (Role.TECHNICIAN, {"subscriber", "session", "site"}),
        (Role.CASHIER, {"subscriber", "voucher"}),
    ],
)
async def test_a_role_finds_only_what_it_may_see(
    office: Office, role: Role, kinds: set[str]
) -> None:
    await a_town(office)
    hits: set[str] = set()
    for typed in ("wanjiku", "ee0f", "RKT12ABC9Z", CODE, "42", "estate"):
        hits |= _kinds(await found(office, typed, Who("w", "W", role)))

    assert hits == kinds


def _kinds(hits: Iterable[str]) -> set[str]:
    return {hit.partition(":")[0] for hit in hits}


async def test_a_new_name_is_found_and_the_old_one_no_more(office: Office) -> None:
    await a_town(office)
    await change_subscriber(office.deps, "0712345678", SubscriberChange(name="Wanjiku Njoroge"))

    assert await found(office, "njoroge") == ["subscriber:712345678"]
    assert await found(office, "kamau") == ["subscriber:712000001"]
    assert await found(office, "wanjiku") == ["subscriber:712345678"]


async def test_at_most_twenty_of_a_kind_are_found(office: Office) -> None:
    for n in range(30):
        change = SubscriberChange(name=f"Many {n}")
        await add_subscriber(office.deps, Msisdn(f"2547000000{n:02d}"), change)

    assert len(await found(office, "many")) == 20
    assert len(await found(office, "0700")) == 20


async def test_live_sessions_come_before_those_that_are_over(office: Office) -> None:
    await a_town(office)
    late = NOON + timedelta(minutes=1)
    over = a_session(
        "4" * 32, mac="00:00:00:00:ee:0f", opened_at=late, closed_at=late, closed_reason="left"
    )
    await office.keep(over)
    async with office.deps.db.read() as tx:
        told = await search(tx, office.deps, OWNER, "ee0f")

    assert [hit.state for hit in told.hits] == ["live", "over", "over"]
    assert told.hits[0].msisdn == "254712345678"
