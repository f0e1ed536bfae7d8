"""Money that comes in at a test's office, by the real roads; and customers who paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.ids import GrantId, OrderId, PlanId, SiteId
from billing.money import Money
from billing.msisdn import Msisdn
from controller.payments.memory import MemoryGateway
from controller.payments.seen import Road, Seen
from controller.store import sites
from controller.usecases import arrivals
from controller.usecases.ingest import ingest
from controller.usecases.purchase import NewOrder, purchase
from controller.usecases.settle import take_callback
from tests.support.builders import a_batch, a_record, hex_id, opened, token_in

if TYPE_CHECKING:
    from controller.usecases.arrivals import Arrived
    from tests.support.office import Office

ESTATE = SiteId("estate-1")
MAC = "02:00:00:00:00:01"


async def came(
    office: Office,
    receipt: str = "SGH7K2Q0XD",
    shillings: int = 500,
    *,
    reference: str = "wanjiku house 4",
    payer: str = "2547 ***** 126",
    payer_name: str = "JOHN KAMAU",
    road: Road = Road.PULL,
    rail: str = "mpesa",
) -> Arrived:
    """Money for our PayBill that a provider tells of."""
    seen = Seen(
        rail=rail,
        receipt=receipt,
        amount=Money(shillings * 100),
        place="600111",
        road=road,
        at=office.clock(),
        reference=reference,
        payer=payer,
        payer_name=payer_name,
    )
    return await arrivals.arrive(office.deps, seen)


def payers(office: Office) -> MemoryGateway:
    """Those who pay at this office."""
    assert isinstance(office.deps.gateway, MemoryGateway)
    return office.deps.gateway


async def paid(office: Office) -> str:
    """The newest prompt is paid, and the provider calls back; the receipt."""
    gateway = payers(office)
    name = list(gateway.asked)[-1]
    receipt = gateway.pay(name, office.clock())
    token = token_in(gateway.asked[name].push.callback_url)
    await take_callback(office.deps, token=token, body=gateway.callback(name), source="")
    return receipt


async def bought(office: Office, name: str = "order", *, phone: str = "254712345678") -> str:
    """A customer at the site orders two hours and pays; the order."""
    order = OrderId(hex_id(name))
    wish = NewOrder(order, PlanId("hours-2"), Msisdn(phone), MAC, 0)
    await purchase(office.deps, ESTATE, wish)
    await paid(office)
    return order


async def applied(office: Office, site_id: str = ESTATE) -> None:
    """The site reports that it has applied everything that it was told."""
    async with office.deps.db.begin() as tx:
        site = await sites.load(tx, site_id)
        assert site is not None
        await sites.seen(
            tx,
            site_id,
            now=office.clock(),
            agent_version="0.1.0",
            applied_generation=site.generation,
            applied_digest=bytes(site.digest),
            outbox=None,
        )


async def let_in(office: Office, grant_id: str) -> None:
    """The site reports that the device of a grant is online."""
    fact = opened(grant_id=GrantId(grant_id), mac=MAC)
    await ingest(office.deps, ESTATE, a_batch(a_record(1, fact, at=office.clock())))
