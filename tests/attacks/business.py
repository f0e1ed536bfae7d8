"""A business of two branches with one of everything, and who asks of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.period import day_of
from controller.payments.gateway import Trust
from controller.payments.memory import MemoryGateway
from controller.rights import Role
from controller.store.code_rows import TokenKeyRow
from controller.store.payment_rows import DifferenceRow
from controller.store.rows import SubscriberRow
from controller.store.staff_rows import ApiTokenRow
from controller.usecases import recovery_key
from tests.support.incoming import came
from tests.support.office import NOON, a_plan
from tests.support.staff import Member, a_member, a_token, an_owner, signed_in
from tests.support.staff import browser as a_browser
from tests.support.two_branches import HERE, IDS, THERE, two_branches

if TYPE_CHECKING:
    from controller.store.rows import Row
    from tests.support.office import Office

DIFFERENCE = "d1" * 16


@dataclass(frozen=True, slots=True)
class Business:
    """An office, and who asks of it: keys of programs, and browsers that are signed in."""

    office: Office
    owner: Member
    owner_key: str
    held_key: str
    owner_cookies: dict[str, str]
    held_cookies: dict[str, str]
    ids: dict[str, str]
    """What a path or a field names: of the branch that the held one has."""


async def a_business(office: Office) -> Business:
    """Keep everything; the owner, and an admin of one branch, come in."""
    office = with_cards(office)
    await two_branches(office)
    await office.keep(*_more())
    for branch in IDS:
        await _completed(office, branch)
    unplaced = await came(office, "SGHUNPLACE", 500, reference="house 4")
    owner = await an_owner(office)
    held = await a_member(office, Role.ADMIN, branches=frozenset({HERE}))
    idle = await a_member(office, Role.ADMIN, login="pendo@example.co.ke")
    return Business(
        office=office,
        owner=owner,
        owner_key=await a_token(office, Role.OWNER, staff_id=owner.id),
        held_key=await a_token(office, Role.ADMIN, frozenset({HERE}), staff_id=held.id),
        owner_cookies=await _cookies(office, owner),
        held_cookies=await _cookies(office, held),
        ids={
            **ids_of(HERE),
            "unplaced": unplaced.arrival_id,
            "staff_id": idle.id,
            "api_token_id": await _spare_key(office, owner),
            "profile": "kcb-desk",
            "pool_id": "pool-1",
            "section": "mpesa",
            "ending": (await recovery_key.make(office.deps))[-recovery_key.ASKED_CHARS :],
        },
    )


def with_cards(office: Office) -> Office:
    """The office with a rail that stores cards."""
    cards = MemoryGateway(rail="card", place="LANGO", trust=Trust.SIGNED)
    return replace(office, deps=replace(office.deps, more_gateways=(cards,), cards=cards))


def ids_of(branch: str) -> dict[str, str]:
    """What a branch has, by the name that a path or a field gives it."""
    ids = IDS[branch]
    digit = ids["grant"][-1]
    return {
        **ids,
        "site_id": ids["site"],
        "branch_id": branch,
        "subscription_id": ids["subscription"],
        "document_id": ids["document"],
        "name": ids["document"],
        "price_id": ids["price"],
        "grant_id": ids["grant"],
        "token_id": ids["token"],
        "order_id": ids["payment"],
        "received_id": ids["received"],
        "arrival_id": ids["arrival"],
        "refund_id": ids["refund"],
        "mandate_id": ids["mandate"],
        "alert_id": ids["alert"],
        "window_id": ids["maintenance"],
        "notice_id": ids["area_notice"],
        "session_id": f"e{digit * 31}",
        "phone": ids["msisdn"],
        "difference_id": DIFFERENCE,
        "day": day_of(NOON).isoformat(),
        "other": IDS[THERE if branch == HERE else HERE]["msisdn"],
    }


def _more() -> list[Row]:
    contract = {"audience": "contract", "validity_s": 366 * 86_400, "price_minor": 100_000}
    difference = DifferenceRow(
        id=DIFFERENCE,
        rail="mpesa",
        place="600111",
        day=day_of(NOON),
        kind="not_told",
        receipt=f"A{HERE}",
        told_minor=None,
        booked_minor=1_000,
        state="open",
        found_at=NOON,
        closed_at=None,
    )
    return [
        a_plan("home-20", name="Home 20", **contract),
        a_plan("home-40", name="Home 40", **contract),
        a_plan("four", name="For four", devices_max=4),
        difference,
    ]


async def _completed(office: Office, branch: str) -> None:
    """Make whole what `two_branches` only names: an address, the key of tokens."""
    ids = IDS[branch]
    async with office.deps.db.begin() as tx:
        subscriber = await tx.get_one(SubscriberRow, ids["subscriber"])
        subscriber.email = f"{branch}@example.com"
        key = await tx.get_one(TokenKeyRow, (ids["site"], 0))
        key.sealed = office.deps.vault.seal(bytes(32))


async def _spare_key(office: Office, who: Member) -> str:
    await a_token(office, Role.SUPPORT, staff_id=who.id)
    async with office.deps.db.read() as tx:
        query = select(ApiTokenRow.id).where(ApiTokenRow.role == Role.SUPPORT)
        return (await tx.scalars(query)).one()


async def _cookies(office: Office, who: Member) -> dict[str, str]:
    async with a_browser(office) as client:
        await signed_in(office, client, who)
        return dict(client.cookies)
