"""Letters on their way out: once for an event, at least once to their reader, sealed meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.notify.absent import AbsentEmail
from controller.notify.email import EmailOut
from controller.notify.memory import Scripted
from controller.store.payment_rows import EmailRow
from controller.store.site_rows import NoticeRow
from controller.usecases import emails
from tests.support.builders import Killed, MortalDatabase

if TYPE_CHECKING:
    from controller.deps import Deps
    from tests.support.builders import World

READER = "amina@example.co.ke"
LETTER = EmailOut(READER, "Receipt RCT-1", "KES 1,500 received.", "<p>KES 1,500</p>")


async def written(
    deps: Deps,
    out: EmailOut = LETTER,
    *,
    event: str | None = "received:1",
    good_for: timedelta | None = None,
) -> bool:
    async with deps.db.begin() as tx:
        return await emails.email_in(
            tx,
            deps,
            out,
            subscriber_id=None,
            about="receipt 1",
            now=deps.now(),
            event=event,
            good_for=good_for,
        )


async def the_row(world: World) -> EmailRow:
    async with world.deps.db.read() as tx:
        (row,) = await tx.scalars(select(EmailRow))
    return row


async def notices_of(world: World) -> list[tuple[str, str]]:
    async with world.deps.db.read() as tx:
        return [(row.code, row.text) for row in await tx.scalars(select(NoticeRow))]


async def test_a_letter_leaves_word_by_word_and_is_forgotten_then(world: World) -> None:
    await written(world.deps)
    before = await the_row(world)
    count = await emails.send_due(world.deps)
    after = await the_row(world)

    assert (count, world.email.to(READER)) == (1, [LETTER])
    assert before.sealed is not None
    assert READER.encode() not in before.sealed
    assert (after.state, after.sealed, after.due_at) == ("sent", None, None)
    assert after.id in (after.provider_id or "")


async def test_an_event_has_one_letter(world: World) -> None:
    told = [await written(world.deps) for _ in range(3)]
    await emails.send_due(world.deps)

    assert told == [True, False, False]
    assert len(world.email.to(READER)) == 1


async def test_without_an_account_none_is_written(world: World) -> None:
    deps = replace(world.deps, email=AbsentEmail())

    assert not await written(deps)
    assert await emails.send_due(deps) == 0
    assert await notices_of(world) == []


async def test_more_letters_than_go_at_once_all_leave(world: World) -> None:
    for n in range(2 * emails.AT_ONCE_MAX + 1):
        await written(world.deps, event=f"received:{n}")

    assert await emails.send_due(world.deps) == 2 * emails.AT_ONCE_MAX + 1
    assert len(world.email.taken) == 2 * emails.AT_ONCE_MAX + 1


@pytest.mark.parametrize("trouble", [Scripted.DOWN, Scripted.LOSE])
async def test_what_may_not_have_left_is_sent_again(world: World, trouble: Scripted) -> None:
    world.email.script(trouble)
    await written(world.deps)
    await emails.send_due(world.deps)
    waiting = (await the_row(world)).state
    world.clock.advance(emails.AGAIN_AFTER_S[0])
    await emails.send_due(world.deps)

    assert waiting == "waiting"
    assert world.email.to(READER) == [LETTER]
    assert (await the_row(world)).problem == ""


async def test_an_address_that_is_none_is_told_to_staff_and_not_tried_again(world: World) -> None:
    world.email.script(Scripted.REFUSE)
    await written(world.deps)
    for wait_s in (0, *emails.AGAIN_AFTER_S):
        world.clock.advance(wait_s)
        await emails.send_due(world.deps)
    told = await notices_of(world)

    assert world.email.asked == 1
    assert [code for code, _ in told] == ["email_given_up"]
    assert READER not in str(told)


async def test_a_letter_that_never_leaves_is_given_up_with_a_notice(world: World) -> None:
    tries = len(emails.AGAIN_AFTER_S) + 1
    world.email.script(*[Scripted.DOWN] * (tries + 1))
    await written(world.deps)
    for wait_s in (0, *emails.AGAIN_AFTER_S, 86_400):
        world.clock.advance(wait_s)
        await emails.send_due(world.deps)

    assert world.email.asked == tries
    assert [code for code, _ in await notices_of(world)] == ["email_given_up"]


async def test_a_letter_that_is_of_no_use_any_more_is_not_sent(world: World) -> None:
    await written(world.deps, good_for=timedelta(hours=1))
    world.clock.advance(3_600)
    await emails.send_due(world.deps)

    assert world.email.asked == 0
    assert (await the_row(world)).problem == "too_late"


async def test_who_is_killed_before_noting_the_answer_sends_it_again_by_the_same_name(
    world: World, db_url: str
) -> None:
    await written(world.deps)
    mortal = MortalDatabase(db_url, nth=2, moment="inside")
    with pytest.raises((Killed, ExceptionGroup)):
        await emails.send_due(replace(world.deps, db=mortal))
    await mortal.close()
    world.clock.advance(emails.AGAIN_AFTER_S[0])
    await emails.send_due(world.deps)

    assert world.email.asked == 2
    assert list(world.email.taken) == [(await the_row(world)).id]
