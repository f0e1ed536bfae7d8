"""The stream of payments and the page of one, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from controller.noc import incoming
from controller.noc.pages.payments import LINES
from controller.payments.seen import Road
from controller.rights import Role
from controller.store import arrivals as arrivals_store
from tests.support.database import db_url
from tests.support.desk import ELSEWHERE, at_desk, once_in, told_after
from tests.support.incoming import applied, bought, came, let_in
from tests.support.office import NOON, Office, a_payment, a_plan, a_site, a_subscriber

if TYPE_CHECKING:
    from controller.store.payment_rows import ArrivalRow

__all__ = ["db_url"]

EVIL = "<script>alert(1)</script>\"'&"
PHONE = "254712345678"


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site, a plan, and Wanjiku."""
    whose = a_subscriber()
    whose.name = "Wanjiku Mwangi"
    await office.keep(a_site(), a_plan(), whose)
    return office


async def page(office: Office, path: str, role: Role = Role.OWNER, **how: frozenset[str]) -> str:
    async with at_desk(office, role, **how) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def money_of(office: Office, receipt: str) -> ArrivalRow:
    async with office.deps.db.read() as tx:
        found = await arrivals_store.seen(tx, "mpesa", receipt)
    assert found is not None
    return found


async def test_the_stream_shows_what_was_asked_for_and_what_came_by_itself(estate: Office) -> None:
    order = await bought(estate)
    await came(estate, "SGH7K2Q0XD", reference=EVIL, payer_name=EVIL)
    shown = await page(estate, "/noc/payments")

    for words in (order, "SIM0000001", "SGH7K2Q0XD", "unmatched", "KES 500", "2 hours", "Estate 1"):
        assert words in shown
    assert "<script>alert" not in shown
    assert PHONE not in shown


async def test_the_stream_says_how_long_a_payer_waited_to_be_online(estate: Office) -> None:
    order = await bought(estate)
    estate.clock.forward(seconds=14)
    await applied(estate)
    async with estate.deps.db.read() as tx:
        (waiting,) = await incoming.waiting_views(tx, estate.clock() + timedelta(seconds=30))
    await let_in(estate, waiting.grant.id)
    shown = await page(estate, "/noc/payments")

    assert order in shown
    assert '<span class="too-late">14 s</span>' in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=paid", {"PAID", "GIVEN"}),
        ("state=refused", {"NO"}),
        ("state=unmatched", {"CAME"}),
        ("rail=airtel", {"AIRTEL"}),
        ("site=estate-2", {"OTHER"}),
        ("q=0712345678", {"PAID", "GIVEN", "NO", "AIRTEL", "OTHER"}),
        ("q=came", {"CAME"}),
        ("day=2026-11-22", {"OLD"}),
    ],
)
async def test_the_address_narrows_the_stream(estate: Office, query: str, found: set[str]) -> None:
    refused = {"state": "refused", "settled_at": None, "reason": "cancelled"}
    old = {"created_at": NOON - timedelta(days=1), "msisdn": "254722000001"}
    await estate.keep(
        a_site("estate-2", name="Estate 2"),
        a_payment("1" * 32, receipt="PAID"),
        a_payment("2" * 32, receipt="NO", **refused),
        a_payment("3" * 32, receipt="AIRTEL", rail="airtel", state="pending", settled_at=None),
        a_payment("4" * 32, receipt="OTHER", site_id="estate-2", state="unknown", settled_at=None),
        a_payment("5" * 32, receipt="OLD", **old, state="expired", settled_at=None),
    )
    await came(estate, "CAME")
    await came(estate, "GIVEN", reference=PHONE)
    shown = await page(estate, f"/noc/payments?{query}")

    everything = {"PAID", "GIVEN", "NO", "AIRTEL", "OTHER", "OLD", "CAME"}
    assert {one for one in everything if f'class="figure">{one}<br>' in shown} == found


async def test_older_payments_are_behind_a_link_and_none_is_lost_between(estate: Office) -> None:
    rows = [
        a_payment(f"{n:032x}", receipt=f"R{n:03}", created_at=NOON - timedelta(seconds=n))
        for n in range(LINES + 20)
    ]
    await estate.keep(*rows)
    estate.clock.forward(seconds=-5)
    await came(estate, "BETWEEN")
    seen = []
    async with at_desk(estate) as client:
        path = "/noc/payments?rail=mpesa"
        while path:
            shown = (await client.get(path)).text
            seen += [
                r for r in (*(f"R{n:03}" for n in range(70)), "BETWEEN") if f">{r}<br>" in shown
            ]
            link = shown.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
            path = link.replace("&amp;", "&") if 'rel="next"' in shown else ""

    assert sorted(seen) == sorted([*(f"R{n:03}" for n in range(LINES + 20)), "BETWEEN"])


async def test_a_state_that_there_is_not_is_refused_by_its_field(estate: Office) -> None:
    async with at_desk(estate) as client:
        answer = await client.get("/noc/payments?state=lost")

    assert (answer.status_code, "want one of paid" in answer.text.lower()) == (422, True)


async def test_one_payment_tells_its_whole_story(estate: Office) -> None:
    order = await bought(estate)
    shown = await page(estate, f"/noc/payments/{order}")

    for words in (
        "Ordered",
        "The payer was asked",
        "The provider called back",
        "believed: the money is ours",
        "Access was granted",
        "the site has not taken it yet",
        "asset:mpesa:600111",
        "Give back",
    ):
        assert words in shown
    assert PHONE not in shown


async def test_the_story_of_money_is_found_by_the_money_too(estate: Office) -> None:
    order = await bought(estate)
    money = await money_of(estate, "SIM0000001")
    shown = await page(estate, f"/noc/payments/{money.id}")

    assert "The payer was asked" in shown
    assert order[:8] in shown or "Ordered" in shown


async def test_money_goes_back_when_the_word_is_typed_and_once_only(estate: Office) -> None:
    order = await bought(estate)
    money = await money_of(estate, "SIM0000001")
    async with at_desk(estate) as client:
        shown = (await client.get(f"/noc/payments/{order}")).text
        form = {"once": once_in(shown), "reason": "no internet", "sure": "refund"}
        unsure = await told_after(
            client, await client.post(f"/noc/money/{money.id}/refund", data=form)
        )
        form["sure"] = "REFUND"
        for _ in range(2):
            sent = await client.post(f"/noc/money/{money.id}/refund", data=form)
        done = await told_after(client, sent)

    async with estate.deps.db.read() as tx:
        backs = await incoming.refund_views(tx, after=None, limit=9)
    assert "type REFUND to go on" in unsure
    assert "The refund is on its way." in done
    assert [view.row.reason for view in backs] == ["no internet"]
    assert "Access ended" in done


async def test_money_of_nobody_is_given_to_who_is_suggested(estate: Office) -> None:
    arrived = await came(estate, reference="0712345679", payer_name="WANJIKU MWANGI")
    async with at_desk(estate, Role.BILLING) as client:
        shown = (await client.get(f"/noc/payments/{arrived.arrival_id}")).text
        answer = await client.post(
            f"/noc/money/{arrived.arrival_id}/assign",
            data={"subscriber": "5" * 32, "reason": "suggested"},
        )
        done = await told_after(client, answer)

    assert "one slip of the finger" in shown
    assert "Wanjiku Mwangi" in shown
    assert "The money is theirs" in done
    assert (await money_of(estate, "SGH7K2Q0XD")).state == "credited"


async def test_a_form_of_another_site_changes_nothing(estate: Office) -> None:
    arrived = await came(estate, reference="0712345679")
    async with at_desk(estate) as client:
        answer = await client.post(
            f"/noc/money/{arrived.arrival_id}/assign",
            data={"subscriber": "5" * 32, "reason": "x"},
            headers=ELSEWHERE,
        )

    assert answer.status_code == 403
    assert (await money_of(estate, "SGH7K2Q0XD")).state == "suspense"


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
async def test_who_may_only_look_is_offered_nothing_and_refused(estate: Office, role: Role) -> None:
    arrived = await came(estate, reference="0712345679")
    path = f"/noc/money/{arrived.arrival_id}"
    async with at_desk(estate, role) as client:
        shown = (await client.get(f"/noc/payments/{arrived.arrival_id}")).text
        answers = [
            (
                await client.post(f"{path}/{deed}", data={"subscriber": PHONE, "reason": "x"})
            ).status_code
            for deed in ("assign", "refund")
        ]

    assert ("Give to" in shown, "Give back" in shown, answers) == (False, False, [403, 403])


@pytest.mark.parametrize("role", [Role.CASHIER, Role.TECHNICIAN])
async def test_who_has_no_right_to_money_sees_none(estate: Office, role: Role) -> None:
    async with at_desk(estate, role) as client:
        answers = [
            (await client.get(path)).status_code
            for path in ("/noc/payments", f"/noc/payments/{'1' * 32}")
        ]

    assert answers == [403, 403]


async def test_of_other_branches_nothing_is_there(estate: Office) -> None:
    order = await bought(estate)
    arrived = await came(estate)
    money = await money_of(estate, "SIM0000001")
    elsewhere = frozenset({"coast"})
    async with at_desk(estate, Role.BILLING, elsewhere) as client:
        shown = (await client.get("/noc/payments")).text
        answers = [
            (await client.get(f"/noc/payments/{name}")).status_code
            for name in (order, arrived.arrival_id, money.id)
        ]
        posted = await client.post(
            f"/noc/money/{money.id}/refund",
            data={"once": "1" * 32, "reason": "x", "sure": "REFUND"},
        )

    assert (order in shown, arrived.arrival_id in shown) == (False, False)
    assert (answers, posted.status_code) == ([404, 404, 404], 404)
    assert order in await page(estate, "/noc/payments", Role.BILLING, branches=frozenset({"main"}))


async def test_doubted_money_says_that_it_is_not_confirmed(estate: Office) -> None:
    arrived = await came(estate, "DOUBTED1", 9_000, road=Road.CONFIRMATION)
    shown = await page(estate, f"/noc/payments/{arrived.arrival_id}")

    assert "unconfirmed" in shown
    assert "PayBill confirmation" in shown


@pytest.mark.parametrize(
    "path",
    [
        "/noc/payments?q=%00", "/noc/payments?site=%00", "/noc/payments/%00", "/noc/plans/%00",
        "/noc/vouchers/%00", "/noc/counter?q=%00", "/noc/invoices?q=%00", "/noc/reports?branch=%00",
    ],
)  # fmt: skip
async def test_a_character_that_is_none_is_refused_on_every_page(estate: Office, path: str) -> None:
    async with at_desk(estate) as client:
        answer = await client.get(path)
        posted = await client.post("/noc/counter/take", content="subscriber=%00&amount=1")

    assert (answer.status_code, posted.status_code) == (422, 422)
