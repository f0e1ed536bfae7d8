"""Money that waits and access that is paid and not there: the queries, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.charge import Mode
from billing.ids import PlanId, SiteId
from billing.money import Money
from billing.period import Cycle, Unit
from controller.noc import incoming
from controller.noc.board import Why, waiting_sentence, why_waiting
from controller.payments.seen import Road
from controller.store import arrivals as arrivals_store
from controller.store import grants, suggestions
from controller.usecases import arrivals, refunds
from controller.usecases.agreements import NewSubscription
from controller.usecases.money_in import receive
from controller.usecases.subscriptions import start
from tests.support.builders import hex_id
from tests.support.database import db_url
from tests.support.incoming import applied, bought, came, let_in
from tests.support.office import NOON, Office, a_plan, a_site, a_subscriber

if TYPE_CHECKING:
    from controller.noc.incoming import WaitingView

__all__ = ["db_url"]

WANJIKU = "5" * 32
PHONE = "254712345678"
HOME: dict[str, Any] = {"audience": "contract", "validity_s": 366 * 86_400, "price_minor": 50_000}


@pytest.fixture
async def estate(office: Office) -> Office:
    """A site that is online, a hotspot plan, a contract plan at KES 500, and Wanjiku."""
    whose = a_subscriber()
    whose.name = "Wanjiku Mwangi"
    await office.keep(a_site(), a_plan(), a_plan("home", name="Home", **HOME), whose)
    return office


async def waiting(office: Office) -> list[WaitingView]:
    async with office.deps.db.read() as tx:
        return await incoming.waiting_views(tx, office.clock())


async def whys(office: Office) -> list[Why]:
    return [why_waiting(view, office.clock()) for view in await waiting(office)]


async def grant_of(office: Office, order: str) -> str:
    async with office.deps.db.read() as tx:
        row = await grants.by_cause(tx, order)
        assert row is not None
        return row.id


async def subscribed(office: Office, mode: Mode = Mode.PREPAID) -> str:
    new = NewSubscription(
        id=hex_id("home"),
        subscriber=WANJIKU,
        plan_id=PlanId("home"),
        site_id=SiteId("estate-1"),
        mode=mode,
        cycle=Cycle(Unit.MONTH),
        devices=("02:00:00:00:00:01",),
    )
    return (await start(office.deps, new)).id


async def pays(office: Office, shillings: int = 500) -> None:
    await receive(
        office.deps,
        msisdn_or_id=WANJIKU,
        amount=Money(shillings * 100),
        rail="mpesa",
        receipt=f"PAID{shillings}",
        idempotent=hex_id(f"paid {shillings}"),
    )


async def suggested(office: Office, **told: Any) -> list[str]:
    arrived = await came(office, **told)
    async with office.deps.db.read() as tx:
        row = await arrivals_store.load(tx, arrived.arrival_id)
        assert row is not None
        return [one.msisdn for one in await suggestions.candidates(tx, row)]


async def test_who_has_just_paid_is_not_said_to_wait(estate: Office) -> None:
    await bought(estate)
    estate.clock.forward(seconds=19)
    soon = await waiting(estate)
    estate.clock.forward(seconds=1)

    assert (soon, len(await waiting(estate))) == ([], 1)


async def test_a_site_that_is_heard_has_not_applied_it_and_one_that_is_not_is_offline(
    estate: Office,
) -> None:
    await bought(estate)
    estate.clock.forward(seconds=30)
    (line,) = await waiting(estate)
    heard = why_waiting(line, estate.clock())
    estate.clock.forward(seconds=40)

    assert (heard, await whys(estate)) == (Why.NOT_APPLIED, [Why.SITE_OFFLINE])
    assert waiting_sentence(line, estate.clock()) == "waiting for site, last seen 11:59"
    assert (line.receipt, line.msisdn, line.paid_at) == ("SIM0000001", PHONE, NOON)


async def test_what_is_applied_waits_for_its_device_until_that_is_let_in(estate: Office) -> None:
    order = await bought(estate)
    estate.clock.forward(seconds=30)
    await applied(estate)
    unseen = await whys(estate)
    await let_in(estate, await grant_of(estate, order))

    assert unseen == [Why.DEVICE_UNSEEN]
    assert await waiting(estate) == []


async def test_after_a_day_nobody_is_said_to_wait(estate: Office) -> None:
    await bought(estate)
    estate.clock.forward(hours=24, seconds=1)

    assert await waiting(estate) == []


async def test_what_was_given_back_waits_for_nothing(estate: Office) -> None:
    await bought(estate)
    estate.clock.forward(seconds=30)
    async with estate.deps.db.read() as tx:
        (view,) = await incoming.arrival_views(tx, after=None, limit=5)
    await refunds.refund(
        estate.deps, view.row.id, amount=None, reason="no internet", idempotent=hex_id("back")
    )

    assert await waiting(estate) == []


async def test_what_a_site_has_not_applied_comes_before_unseen_devices(estate: Office) -> None:
    first = await bought(estate, "first")
    estate.clock.forward(seconds=30)
    await applied(estate)
    second = await bought(estate, "second", phone="254722000001")
    estate.clock.forward(seconds=30)
    orders = [view.order.order_id for view in await waiting(estate) if view.order is not None]

    assert orders == [second, first]


async def test_a_subscription_that_was_paid_waits_until_its_site_has_applied_it(
    estate: Office,
) -> None:
    line = await subscribed(estate)
    estate.clock.forward(seconds=30)
    unpaid = await waiting(estate)
    await pays(estate)
    estate.clock.forward(seconds=30)
    (view,) = await waiting(estate)
    await applied(estate)

    assert unpaid == []
    assert (view.order, view.subscription_id, view.receipt) == (None, line, "PAID500")
    assert view.msisdn == PHONE
    assert await waiting(estate) == []


async def test_a_subscription_that_nobody_paid_for_is_not_said_to_be_paid(estate: Office) -> None:
    await subscribed(estate, Mode.ADVANCE)
    estate.clock.forward(seconds=30)

    assert await waiting(estate) == []


async def test_a_period_out_of_the_wallet_is_paid_though_no_money_came(estate: Office) -> None:
    await pays(estate)
    estate.clock.forward(days=2)
    await subscribed(estate)
    estate.clock.forward(seconds=30)
    (view,) = await waiting(estate)

    assert (view.receipt, view.paid_at) == (None, NOON + timedelta(days=2))


async def test_money_that_the_job_will_place_does_not_wait_for_staff(estate: Office) -> None:
    await came(estate, "LEFT1", 300)
    await came(estate, "DOUBTED1", 9_000, road=Road.CONFIRMATION)
    placed = await came(estate, "PLACED1", reference=PHONE)
    due = await came(estate, "DUE1")
    async with estate.deps.db.begin() as tx:
        (await arrivals_store.locked(tx, due.arrival_id)).due_at = estate.clock()
    async with estate.deps.db.read() as tx:
        found = await incoming.unmatched(tx, limit=1)
        views = await incoming.unmatched_views(tx, after=None, limit=9)

    assert placed.state == "credited"
    assert (found.count, found.minor, len(found.first)) == (2, 930_000, 1)
    assert {view.row.receipt for view in views} == {"LEFT1", "DOUBTED1"}


async def test_money_says_whose_it_became(estate: Office) -> None:
    await bought(estate)
    assigned = await came(estate, "TYPED1")
    await arrivals.assign(
        estate.deps, assigned.arrival_id, subscriber=PHONE, reason="called", who="staff"
    )
    await came(estate, "NOBODY1")
    async with estate.deps.db.read() as tx:
        views = await incoming.arrival_views(tx, after=None, limit=9)

    whose = {
        view.row.receipt: (view.plan_name, None if view.subscriber is None else view.subscriber.id)
        for view in views
    }
    assert whose == {
        "SIM0000001": ("2 hours", WANJIKU),
        "TYPED1": ("", WANJIKU),
        "NOBODY1": ("", None),
    }


@pytest.mark.parametrize(
    "reference",
    [
        "0712345679",  # a wrong digit
        "0712 354 678",  # two neighbours
        "071234567",  # one too few
        "07123456788",  # one too many
        "O7I2345678 ",  # letters for digits, and exact
        "712435687",  # two slips
        "+254 712 345 87",
    ],
)
async def test_a_phone_that_is_two_slips_away_is_found(estate: Office, reference: str) -> None:
    assert await suggested(estate, reference=reference, payer_name="") == [PHONE]


@pytest.mark.parametrize("reference", ["0712999999", "712", "house 4", "0799345678 x 1"])
async def test_a_phone_that_is_further_away_is_not(estate: Office, reference: str) -> None:
    assert await suggested(estate, reference=reference, payer_name="") == []


@pytest.mark.parametrize(
    "reference", ["inv main 1", "INV-main-000010", "invoice 2", "INV-mian-000001"]
)
async def test_the_number_of_an_open_invoice_is_found_by_its_end(
    estate: Office, reference: str
) -> None:
    await subscribed(estate, Mode.ADVANCE)

    assert await suggested(estate, reference=reference, payer_name="") == [PHONE]


async def test_who_owes_just_so_much_is_found(estate: Office) -> None:
    await subscribed(estate, Mode.ADVANCE)
    just = await came(estate, "JUST1", 500, reference="", payer_name="")
    other = await came(estate, "OTHER1", 499, reference="", payer_name="")
    async with estate.deps.db.read() as tx:
        rows = [await arrivals_store.load(tx, one.arrival_id) for one in (just, other)]
        found = [await suggestions.candidates(tx, row) for row in rows if row is not None]

    assert [[one.msisdn for one in part] for part in found] == [[PHONE], []]
    assert [(owed.number, owed.open) for owed in found[0][0].owed] == [
        ("INV-main-000001", Money(50_000))
    ]


@pytest.mark.parametrize("told", ["WANJIKU MWANGI", "wanjiku", "Peter Wanjiku"])
async def test_who_is_called_so_is_found(estate: Office, told: str) -> None:
    assert await suggested(estate, reference="", payer_name=told) == [PHONE]


async def test_whom_the_payer_paid_for_before_is_found(estate: Office) -> None:
    await came(estate, "BEFORE1", reference=PHONE, payer="254733000001", payer_name="")
    arrived = await came(estate, reference="x", payer=PHONE, payer_name="")
    async with estate.deps.db.read() as tx:
        row = await arrivals_store.load(tx, arrived.arrival_id)
        assert row is not None
        (found,) = await suggestions.candidates(tx, row)

    assert (found.msisdn, found.payers) == (PHONE, ("254733000001",))


async def test_candidates_are_bounded(estate: Office) -> None:
    crowd = [a_subscriber(f"{n:032x}", f"2547123456{n:02d}") for n in range(77)]
    await estate.keep(*crowd)

    assert len(await suggested(estate, reference="0712345678")) == suggestions.CANDIDATES_MAX
