"""``lango alert``, ``maintenance`` and ``outage``, run as people run them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.store.site_rows import OutageRow
from tests.controller.noc.test_alert_pages import NAME, an_alert

if TYPE_CHECKING:
    from tests.controller.cli.conftest import Command
    from tests.support.office import Office


async def test_an_alert_is_listed_acknowledged_and_silenced(run: Command, office: Office) -> None:
    empty = await run("alert", "list")
    await office.keep(an_alert(office))
    listed = await run("alert", "list")
    await run("alert", "ack", NAME)
    await run("alert", "silence", NAME)
    await run("alert", "silence", NAME, "--for", "2h")
    await run("alert", "assign", NAME, "--to", "Njeri")
    shown = await run("alert", "show", NAME)
    told = json.loads((await run("alert", "list", "--all", "--json")).out)

    assert "Nothing is wrong" in empty.err
    assert "critical" in listed.out
    assert "Njeri" in shown.out
    assert [one["state"] for one in told["data"]] == ["acknowledged"]


async def test_a_route_is_made_listed_tried_and_removed(run: Command) -> None:
    made = await run("alert", "routes", "add", "--name", "Desk", "--sms", "0712345678")
    route_id = made.out.strip()
    listed = await run("alert", "routes", "list")
    tried = await run("alert", "test", route_id)
    hook = await run(
        "alert", "routes", "add", "--name", "Chat", "--webhook", "https://chat.example.co.ke/in"
    )
    gone = await run("alert", "routes", "remove", route_id)
    neither = await run("alert", "routes", "add", "--name", "Nobody")

    assert "Desk" in listed.out
    assert "on its way" in tried.err
    assert "whsec_" in hook.out
    assert "told nothing more" in gone.err
    assert neither.code == 2


async def test_work_is_previewed_planned_and_ended(run: Command) -> None:
    words = ("--site", "estate-1", "--from", "2027-01-31 22:00", "--for", "2h", "--text", "Mast.")
    seen = await run("maintenance", "plan", *words, "--dry-run")
    made = await run("maintenance", "plan", *words, "--tell", "1d")
    listed = await run("maintenance", "list")
    ended = await run("maintenance", "end", made.out.strip())
    wrong = await run("maintenance", "plan", *words[:2], "--from", "soon", *words[4:])

    assert "messages" in seen.out
    assert "Mast." in listed.out
    assert ended.code == 0
    assert wrong.code == 2


async def test_outages_are_listed_told_and_credited(run: Command, office: Office) -> None:
    began = office.clock() - timedelta(days=2)
    await office.keep(
        OutageRow(site_id="estate-1", began_at=began, ended_at=began + timedelta(hours=5))
    )
    day = f"{began:%Y-%m-%d}"
    until = f"{began + timedelta(days=1):%Y-%m-%d}"
    span = ("--from", day, "--until", until, "--more-than", "4h")
    listed = await run("outage", "list")
    told = await run("outage", "tell", "--site", "estate-1", "--text", "Back.", "--dry-run")
    seen = await run("outage", "credit", *span, "--days", "1", "--dry-run")
    given = await run("outage", "credit", *span, "--days", "1")

    assert "5 h 00 m" in listed.out
    assert "Back." in told.out
    assert "1 outages: 0 subscriptions" in seen.err
    assert "0 outages were credited" in given.err


async def test_a_site_is_put_behind_another(run: Command) -> None:
    wrong = await run("site", "upstream", "estate-1", "estate-1")
    none = await run("site", "upstream", "estate-1", "none")

    assert wrong.code != 0
    assert "no site of yours" in none.err
