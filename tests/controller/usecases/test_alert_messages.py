"""Who is told of alerts: by SMS, letter and webhook, once, and once when it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.errors import InvalidField
from controller.notify.webhook import WebhookGone, WebhookNotTaken, WebhookRefused
from controller.store import alerts as kept
from controller.store.alert_rows import WebhookRow
from controller.store.site_rows import NoticeRow
from controller.usecases import alert_routes, alerts, webhooks
from tests.support.alerts import (
    DESK,
    LETTERS,
    hear,
    more_sites,
    opened,
    pass_by,
    route,
    send,
    with_webhooks,
)
from tests.support.builders import SITE, Killed, MortalDatabase

if TYPE_CHECKING:
    from controller.notify.memory_webhook import MemoryWebhooks
    from tests.support.builders import World


@pytest.fixture
async def watched(world: World) -> World:
    """A controller that has been looking, and a site that was just heard."""
    await hear(world)
    await alerts.look(world.deps)
    return world


@pytest.fixture
async def hooked(watched: World) -> tuple[World, MemoryWebhooks]:
    """With a webhook for everything."""
    world, carrier = with_webhooks(watched)
    await route(world, "webhook")
    return world, carrier


async def test_a_silent_site_is_told_once_and_once_when_it_is_back(watched: World) -> None:
    await route(watched)
    await route(watched, "email", language="sw")
    await pass_by(watched, 60)
    await pass_by(watched, 550, every_s=50)
    await send(watched)
    before = watched.sms.to(DESK)
    await pass_by(watched, 70, SITE)
    await send(watched)

    assert before == ["Lango: warning, Kahawa West: nothing heard since 23 Nov 09:00:00 EAT"]
    (over,) = watched.sms.to(DESK)[1:]
    assert over.startswith("Lango: over, Kahawa West: nothing heard since 23 Nov")
    first, last = watched.email.to(LETTERS)
    assert (first.subject, last.subject) == ("Tahadhari: Kahawa West", "Imekwisha: Kahawa West")


async def test_worse_it_is_told_again_half_an_hour_after_the_first_time(watched: World) -> None:
    await route(watched)
    await pass_by(watched, 60)
    await pass_by(watched, 1_750, every_s=50)
    await pass_by(watched, 45)
    await send(watched)
    early = len(watched.sms.taken)
    await pass_by(watched, 5)
    await send(watched)

    assert early == 1
    assert ["CRITICAL" in text for text in watched.sms.to(DESK)] == [False, True]


async def test_a_route_for_the_worst_is_told_when_it_is_that_bad(watched: World) -> None:
    await route(watched, severity="critical")
    await pass_by(watched, 175)
    await send(watched)
    before = len(watched.sms.to(DESK))
    await pass_by(watched, 5)
    await send(watched)

    assert (before, len(watched.sms.to(DESK))) == (0, 1)


async def test_what_was_acknowledged_escalates_to_nobody(watched: World) -> None:
    await route(watched, after_s=600)
    await pass_by(watched, 180)
    (row,) = await opened(watched)
    await alerts.acknowledge(watched.deps, row.id, who="desk")
    await pass_by(watched, 700, every_s=50)
    await send(watched)

    assert watched.sms.taken == []


async def test_what_nobody_acknowledged_escalates(watched: World) -> None:
    await route(watched, after_s=600)
    await pass_by(watched, 60)
    await pass_by(watched, 550, every_s=50)
    await pass_by(watched, 45)
    await send(watched)
    before = len(watched.sms.taken)
    await pass_by(watched, 5)
    await send(watched)

    assert before == 0
    assert watched.sms.to(DESK)[0].startswith("Lango: NOBODY HAS ANSWERED. CRITICAL, Kahawa West")


async def test_many_at_once_are_one_message(world: World) -> None:
    names = await more_sites(world, "ruiru", "thika", "juja", "kitengela")
    await hear(world, SITE, *names)
    await alerts.look(world.deps)
    await route(world)
    await pass_by(world, 65)
    await send(world)

    (text,) = world.sms.to(DESK)
    start, names_said = text.split(": ", 2)[1:]
    assert start == "5 alerts at once, 0 over"
    assert sorted(names_said.split(", ")) == ["Juja", "Kahawa West", "Kitengela", "Ruiru", "Thika"]


async def test_sites_behind_a_silent_one_are_held_and_it_says_by_whom(world: World) -> None:
    names = await more_sites(world, "ruiru", "thika", behind=SITE)
    await hear(world, SITE, *names)
    await alerts.look(world.deps)
    await route(world)
    await pass_by(world, 65)
    await send(world)
    held = {row.site_id: row.held_by for row in await opened(world)}

    assert held == {SITE: "", "ruiru": f"site:{SITE}", "thika": f"site:{SITE}"}
    assert len(world.sms.to(DESK)) == 1
    assert "Kahawa West" in world.sms.to(DESK)[0]


async def test_a_site_that_stays_silent_when_its_upstream_is_back_is_told_then(
    world: World,
) -> None:
    (behind,) = await more_sites(world, "ruiru", behind=SITE)
    await hear(world, SITE, behind)
    await alerts.look(world.deps)
    await route(world, site_id=behind)
    await pass_by(world, 120)
    await pass_by(world, 55, SITE)
    await send(world)
    before = len(world.sms.taken)
    await pass_by(world, 20, SITE)
    await send(world)

    assert (before, len(world.sms.taken)) == (0, 1)


async def test_a_site_that_comes_back_with_its_upstream_is_told_nobody(world: World) -> None:
    (behind,) = await more_sites(world, "ruiru", behind=SITE)
    await hear(world, SITE, behind)
    await alerts.look(world.deps)
    await route(world, site_id=behind)
    await pass_by(world, 120)
    await pass_by(world, 120, SITE, behind)
    await send(world)

    assert world.sms.taken == []
    assert await opened(world) == []


async def test_a_webhook_says_what_it_is_about(hooked: tuple[World, MemoryWebhooks]) -> None:
    world, carrier = hooked
    await pass_by(world, 60)
    await send(world)
    (said,) = carrier.said()
    (row,) = await opened(world)

    assert said["type"] == "alert.raised"
    assert said["data"] == {
        "id": row.id,
        "rule": "agent_silent",
        "severity": "warn",
        "state": "raised",
        "site_id": "kahawa",
        "site_name": "Kahawa West",
        "text": "nothing heard since 23 Nov 09:00:00 EAT",
        "raised_at": "2026-11-23T06:01:00Z",
        "recovered_at": None,
    }


async def test_a_webhook_that_is_not_taken_is_tried_with_growing_patience(
    hooked: tuple[World, MemoryWebhooks],
) -> None:
    world, carrier = hooked
    carrier.script(*[WebhookNotTaken("500")] * 20)
    await pass_by(world, 60)
    tries = []
    for _ in range(12):
        tries.append(await webhooks.send_due(world.deps))
        async with world.deps.db.read() as tx:
            (row,) = await tx.scalars(select(WebhookRow))
        if row.due_at is None:
            break
        world.clock.to(row.due_at)
    async with world.deps.db.read() as tx:
        codes = list(await tx.scalars(select(NoticeRow.code)))

    assert carrier.asked == 1 + len(webhooks.AGAIN_AFTER_S)
    assert (row.state, row.problem, row.sealed) == ("given_up", "500", None)
    assert codes == ["webhook_given_up"]
    assert world.clock() - row.created_at > timedelta(days=3)


async def test_a_receiver_that_says_when_is_believed(
    hooked: tuple[World, MemoryWebhooks],
) -> None:
    world, carrier = hooked
    carrier.script(WebhookNotTaken("429", retry_s=4_000))
    await pass_by(world, 60)
    await webhooks.send_due(world.deps)
    async with world.deps.db.read() as tx:
        (row,) = await tx.scalars(select(WebhookRow))
    assert row.due_at is not None

    assert row.due_at - world.clock() >= timedelta(seconds=4_000)


async def test_a_receiver_that_is_gone_is_told_nothing_more(
    hooked: tuple[World, MemoryWebhooks],
) -> None:
    world, carrier = hooked
    carrier.script(WebhookGone("410"))
    await pass_by(world, 60)
    await send(world)
    await pass_by(world, 70, SITE)
    await send(world)
    async with world.deps.db.read() as tx:
        (row,) = await kept.routes(tx)

    assert (row.stopped, carrier.asked) == ("gone", 1)
    assert (await alert_routes.resume_route(world.deps, row.id)).stopped == ""


async def test_an_address_that_leads_inside_is_not_tried_again(
    hooked: tuple[World, MemoryWebhooks],
) -> None:
    world, carrier = hooked
    carrier.script(WebhookRefused("address_not_public"))
    await pass_by(world, 60)
    await send(world)
    async with world.deps.db.read() as tx:
        (row,) = await tx.scalars(select(WebhookRow))

    assert (row.state, row.problem) == ("given_up", "address_not_public")


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2])
async def test_a_webhook_whose_sender_died_arrives_under_the_same_name(
    hooked: tuple[World, MemoryWebhooks], db_url: str, nth: int, moment: str
) -> None:
    world, carrier = hooked
    await pass_by(world, 60)
    mortal = MortalDatabase(db_url, nth=nth, moment=moment)  # type: ignore[arg-type]
    with pytest.raises((Killed, BaseExceptionGroup)):
        await webhooks.send_due(world.on(mortal).deps)
    await mortal.close()
    world.clock.advance(webhooks.CLAIMED_S)
    await webhooks.send_due(world.deps)
    async with world.deps.db.read() as tx:
        (row,) = await tx.scalars(select(WebhookRow))

    assert row.state == "sent"
    assert list(carrier.taken) == [row.id]


@pytest.mark.parametrize("kind", ["sms", "email", "webhook"])
async def test_each_route_can_be_tried(watched: World, kind: str) -> None:
    world, carrier = with_webhooks(watched)
    made = await route(world, kind)
    await alert_routes.try_route(world.deps, made.row.id)
    await send(world)
    said = [*world.sms.to(DESK), *(one.text for one in world.email.to(LETTERS))]
    said += [one["data"]["text"] for one in carrier.said()]

    assert [text.strip() for text in said] == [
        f"Lango: this is a test of the alert route desk {kind}"
    ]


async def test_a_removed_route_is_told_nothing(watched: World) -> None:
    made = await route(watched)
    await alert_routes.remove_route(watched.deps, made.row.id)
    await pass_by(watched, 60)
    await send(watched)

    assert watched.sms.taken == []
    with pytest.raises(alert_routes.RouteUnknown):
        await alert_routes.try_route(watched.deps, made.row.id)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("name", {"name": " "}),
        ("kind", {"kind": "pigeon"}),
        ("target", {"kind": "email", "target": "nobody"}),
        ("target", {"kind": "webhook", "target": "http://hooks.example.co.ke/"}),
        ("target", {"kind": "webhook", "target": "https://127.0.0.1/"}),
        ("target", {"kind": "webhook", "target": "https://[::1]/"}),
        ("target", {"kind": "webhook", "target": "javascript:alert(1)"}),
        ("severity", {"severity": "awful"}),
        ("branch_id", {"branch_id": "nowhere"}),
        ("branch_id", {"branch_id": "main", "site_id": "kahawa"}),
        ("from_minute", {"from_minute": 1_440}),
        ("after_s", {"after_s": -1}),
        ("language", {"language": "fr"}),
    ],
)
async def test_a_route_that_leads_nowhere_is_refused(
    watched: World, field: str, told: dict[str, object]
) -> None:
    new: dict[str, object] = {"name": "desk", "kind": "sms", "target": DESK, **told}
    with pytest.raises(InvalidField, match=field):
        await alert_routes.add_route(watched.deps, alert_routes.NewRoute(**new))  # type: ignore[arg-type]


async def test_where_a_route_leads_is_kept_sealed_and_shown_in_part(watched: World) -> None:
    world, _ = with_webhooks(watched)
    rows = [(await route(world, kind)).row for kind in ("sms", "email", "webhook")]

    assert [row.shown for row in rows] == [
        "2547••••222",
        "no…@example.co.ke",
        "https://hooks.example.co.ke:443/…",
    ]
    assert not any(DESK.encode() in row.target for row in rows)
