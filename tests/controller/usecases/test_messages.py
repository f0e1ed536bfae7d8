"""Text messages on their way out: once for an event, what they cost, and what became of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.notify.memory import COST_E4
from controller.notify.sms import SmsSent
from controller.store.database import Database
from controller.store.rows import InboxRow, SmsRow
from controller.usecases import messages
from controller.usecases.delivery_reports import take_report
from tests.support.builders import OTHER_PHONE, PHONE, Killed, MortalDatabase

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from tests.support.builders import Moment, World

PARALLEL = 6
WORDS = "KES 1,500 received. Thank you."


async def queued(
    deps: Deps, *, text: str = WORDS, event: str | None = "received:1", to: Msisdn = PHONE
) -> bool:
    async with deps.db.begin() as tx:
        return await messages.queue_in(
            tx,
            deps,
            site_id=None,
            msisdn=to,
            text=text,
            about="receipt 1",
            now=deps.now(),
            event=event,
        )


async def rows(world: World) -> list[SmsRow]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(SmsRow).order_by(SmsRow.created_at, SmsRow.id)))


async def the_row(world: World) -> SmsRow:
    (row,) = await rows(world)
    return row


async def sent(world: World) -> str:
    """A message that its carrier took; how the carrier calls it."""
    await queued(world.deps)
    await messages.send_due(world.deps)
    return (await the_row(world)).provider_id or ""


def reported(name: str, status: str) -> dict[str, str]:
    return {"id": name, "status": status, "phoneNumber": f"+{PHONE}", "retryCount": "0"}


async def test_an_event_is_told_once_however_often_it_is_tried(world: World) -> None:
    told = [await queued(world.deps) for _ in range(3)]
    other = await queued(world.deps, event="received:2")
    await messages.send_due(world.deps)

    assert (told, other) == ([True, False, False], True)
    assert len(world.sms.to(PHONE)) == 2


async def test_without_an_event_each_message_is_its_own(world: World) -> None:
    told = [await queued(world.deps, event=None) for _ in range(2)]

    assert told == [True, True]
    assert len(await rows(world)) == 2


async def test_many_at_once_tell_an_event_once(world: World, db_url: str) -> None:
    others = [Database(db_url) for _ in range(PARALLEL)]
    told = await asyncio.gather(*(queued(replace(world.deps, db=one)) for one in others))
    for one in others:
        await one.close()

    assert sorted(told) == [*[False] * (PARALLEL - 1), True]
    assert len(await rows(world)) == 1


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
async def test_who_is_killed_while_writing_tells_the_event_once_after_all(
    world: World, db_url: str, moment: Moment
) -> None:
    mortal = MortalDatabase(db_url, nth=1, moment=moment)
    with pytest.raises(Killed):
        await queued(replace(world.deps, db=mortal))
    await mortal.close()
    await queued(world.deps)
    await messages.send_due(world.deps)

    assert world.sms.to(PHONE) == [WORDS]


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_crash_doubles_nothing_at_a_carrier_that_knows_our_id(
    world: World, db_url: str, nth: int
) -> None:
    await queued(world.deps)
    mortal = MortalDatabase(db_url, nth=nth, moment="inside")
    with pytest.raises((Killed, ExceptionGroup)):
        await messages.send_due(replace(world.deps, db=mortal))
    await mortal.close()
    world.clock.advance(messages.AGAIN_AFTER_S[0])
    await messages.send_due(world.deps)

    assert world.sms.to(PHONE) == [WORDS]
    assert (await the_row(world)).state == "sent"


async def test_parts_are_counted_when_it_is_written_and_the_cost_when_it_is_taken(
    world: World,
) -> None:
    await queued(world.deps, text="a" * 161)
    before = await the_row(world)
    await messages.send_due(world.deps)
    after = await the_row(world)

    assert (before.parts, before.cost_e4) == (2, None)
    assert (after.parts, after.cost_e4) == (2, COST_E4)


@pytest.mark.parametrize(
    ("statuses", "delivery"),
    [
        (["Sent", "Submitted", "Success"], "delivered"),
        (["Success", "Submitted", "Buffered"], "delivered"),
        (["Success", "Failed"], "delivered"),
        (["Failed", "Success"], "failed"),
        (["Submitted"], ""),
        ([], ""),
    ],
)
async def test_what_is_final_stays_whatever_comes_after(
    world: World, statuses: list[str], delivery: str
) -> None:
    name = await sent(world)
    for status in statuses:
        world.clock.advance(1)
        await take_report(world.deps, "africas_talking", reported(name, status))
    row = await the_row(world)

    assert row.delivery == delivery
    assert (row.told_at is None) == (delivery == "")


async def test_a_report_that_overtakes_the_answer_is_kept_for_it(world: World) -> None:
    await queued(world.deps)
    name = f"memory-{(await the_row(world)).id}"
    await take_report(world.deps, "africas_talking", reported(name, "Success"))
    await take_report(world.deps, "africas_talking", reported(name, "Success"))
    early = (await the_row(world)).delivery
    world.clock.advance(1)
    await messages.send_due(world.deps)
    row = await the_row(world)

    assert (early, row.delivery) == ("", "delivered")
    assert row.told_at is not None
    assert row.sent_at is not None
    assert row.told_at < row.sent_at


async def test_a_report_by_our_own_name_is_understood(world: World) -> None:
    await sent(world)
    ours = (await the_row(world)).id
    await take_report(world.deps, "http", {"clientsmsid": ours, "dlrStatus": "DELIVRD"})

    assert (await the_row(world)).delivery == "delivered"


async def test_a_report_about_nothing_of_ours_changes_nothing(world: World) -> None:
    await sent(world)
    for form in ({}, {"id": "x"}, {"id": "\0", "status": "Success"}, reported("other", "Success")):
        await take_report(world.deps, "africas_talking", form)

    assert (await the_row(world)).delivery == ""


async def test_what_is_kept_of_a_report_names_no_phone(world: World) -> None:
    await take_report(world.deps, "africas_talking", reported("early", "Failed"))
    async with world.deps.db.read() as tx:
        (kept,) = await tx.scalars(select(InboxRow))

    assert (kept.source, kept.external_id, kept.body) == ("sms-report", "early:failed", b"")


class NamelessSms:
    """A carrier that takes everything and has no names."""

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:
        return SmsSent("")


async def test_a_carrier_without_names_confuses_no_two_messages(world: World) -> None:
    deps = replace(world.deps, sms=NamelessSms())
    await take_report(deps, "http", reported("", "Success"))
    await queued(deps)
    await queued(deps, event="received:2", to=OTHER_PHONE)
    await messages.send_due(deps)

    assert [row.delivery for row in await rows(world)] == ["", ""]
