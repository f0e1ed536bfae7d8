"""Branding, planned maintenance and promotions at the dashboard."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.accounts import discount, reward, wallet
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from controller.rights import Role
from controller.store import ledger, maintenance, operators, promotions
from controller.usecases.operators import OperatorChange, change_operator
from tests.controller.test_png import a_png
from tests.support.desk import ELSEWHERE, a_branch, at_desk, once_in, told_after
from tests.support.office import NOON, Office, a_plan, a_site, caller

if TYPE_CHECKING:
    from controller.store.alert_rows import MaintenanceRow
    from controller.store.billing_rows import OperatorRow

LOOKS = {
    "name": "Kahawa Net", "colour": "#ffee00", "support_phone": "0712 345 678",
    "languages": "sw,en", "pay_to": "Paybill 600111",
}  # fmt: skip
WORK = {
    "area": "site:estate-1", "from": "2026-11-24T22:00", "lasts": "2", "lasts_unit": "hours",
    "text_en": "New <b>mast</b>.", "text_sw": "Mlingoti mpya.", "tell": "",
}  # fmt: skip


@pytest.fixture
async def estate(office: Office) -> Office:
    await office.keep(a_site(), a_plan())
    return office


async def the_operator(office: Office) -> OperatorRow:
    async with office.deps.db.read() as tx:
        return await operators.operator(tx)


async def windows(office: Office) -> list[MaintenanceRow]:
    async with office.deps.db.read() as tx:
        return await maintenance.page(tx, branches=None, after=None, limit=9)


async def test_what_is_typed_is_shown_as_it_will_be_and_kept_only_when_asked(
    estate: Office,
) -> None:
    async with at_desk(estate) as client:
        page = await client.get("/noc/brand", params=LOOKS)
        portal = await client.get("/noc/brand/portal", params={**LOOKS, "theme": "dark"})
        paper = await client.get("/noc/brand/paper", params=LOOKS)
        before = (await the_operator(estate)).name
        done = await told_after(client, await client.post("/noc/brand", data=LOOKS))
    row = await the_operator(estate)

    assert "frame-src 'self'" in page.headers["content-security-policy"]
    for framed in (portal, paper):
        assert framed.headers["x-frame-options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in framed.headers["content-security-policy"]
        assert "Kahawa Net" in framed.text
    assert '<html lang="sw">' in portal.text
    assert "@media all{:root{--go:#ffee00" in portal.text
    assert "Paybill 600111" in paper.text
    assert (before, row.name, row.support_phone) == ("", "Kahawa Net", "+254712345678")
    assert "It is kept" in done


async def test_a_logo_is_looked_at_before_it_is_kept(estate: Office) -> None:
    files = {"logo": ("logo.png", a_png(noise=True), "image/png")}
    async with at_desk(estate) as client:
        tried = await client.post("/noc/brand/logo", files=files)
        page = (await client.get(tried.headers["location"])).text
        found = re.search(r'name="logo" value="([0-9a-f]{64})"', page)
        assert found is not None
        portal = (await client.get("/noc/brand/portal", params={**LOOKS, "logo": found[1]})).text
        before = (await the_operator(estate)).logo
        await client.post("/noc/brand", data={**LOOKS, "logo": found[1]})
        after = (await the_operator(estate)).logo
        await client.post("/noc/brand", data={**LOOKS, "logo": "none"})

    assert 'src="data:image/png;base64,' in portal
    assert (before, after, (await the_operator(estate)).logo) == (None, a_png(noise=True), None)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"logo": ("x.png", b"GIF89a", "image/png")}, "want a PNG"),
        ({"other": ("x.png", a_png(), "image/png")}, "choose a file"),
        ({"logo": ("x.png", b"", "image/png")}, "choose a file"),
    ],
)
async def test_what_is_no_picture_is_refused_by_name(
    office: Office, files: dict[str, Any], said: str
) -> None:
    async with at_desk(office) as client:
        assert said in await told_after(client, await client.post("/noc/brand/logo", files=files))


@pytest.mark.parametrize(
    ("field", "value"),
    [("colour", "red"), ("support_phone", "0712"), ("languages", "fr"), ("logo", "f" * 64)],
)
async def test_looks_that_cannot_be_are_said_in_the_form_and_change_nothing(
    office: Office, field: str, value: str
) -> None:
    async with at_desk(office) as client:
        page = await told_after(
            client, await client.post("/noc/brand", data={**LOOKS, field: value})
        )
        framed = await client.get("/noc/brand/portal", params={**LOOKS, field: value})

    assert f"{field}: want" in page.lower() or f"{field}: choose" in page.lower()
    assert framed.status_code == 422
    assert (await the_operator(office)).name == ""


async def test_the_dashboard_and_its_door_wear_the_operators_name_and_colour(
    office: Office,
) -> None:
    await change_operator(office.deps, OperatorChange(name="Kahawa <Net>", colour="#ffee00"))
    async with at_desk(office) as client:
        inside = (await client.get("/noc")).text
        style = await client.get("/noc/brand.css?c=ffee00")
        strange = await client.get("/noc/brand.css?c=red}")
    async with caller(office, key=None) as client:
        door = (await client.get("/noc/login")).text

    for page in (inside, door):
        assert "Kahawa &lt;Net&gt;" in page
        assert '<link rel="stylesheet" href="/noc/brand.css?c=ffee00">' in page
    assert style.headers["content-type"].startswith("text/css")
    assert "--accent:#ffee00" in style.text
    assert strange.status_code == 422


async def test_work_is_counted_first_then_planned_and_called_off(estate: Office) -> None:
    async with at_desk(estate) as client:
        counted = (await client.get("/noc/maintenance", params=WORK)).text
        before = await windows(estate)
        sent = {**WORK, "once": once_in(counted)}
        page = await told_after(client, await client.post("/noc/maintenance", data=sent))
        await client.post("/noc/maintenance", data=sent)
        (row,) = await windows(estate)
        over = await told_after(client, await client.post(f"/noc/maintenance/{row.id}/end"))

    assert "Nothing is planned or sent yet." in counted
    assert before == []
    assert (row.site_id, row.from_at.isoformat()) == ("estate-1", "2026-11-24T19:00:00+00:00")
    assert row.until_at - row.from_at == timedelta(hours=2)
    assert "New &lt;b&gt;mast&lt;/b&gt;." in page
    assert "called off" in over


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("area", "", "say where"),
        ("area", "site:nowhere", "there is no site"),
        ("from", "tonight", "want a day and a time"),
        ("from", "2026-11-01T10:00", "want a moment to come"),
        ("lasts", "0", "how long"),
        ("tell", "7", "ways to tell"),
        ("text_en", "x" * 201, "want 1 to 200"),
    ],
)
async def test_work_that_cannot_be_is_refused_and_stays_typed(
    estate: Office, field: str, value: str, said: str
) -> None:
    async with at_desk(estate) as client:
        once = once_in((await client.get("/noc/maintenance")).text)
        sent = {**WORK, field: value, "once": once}
        page = await told_after(client, await client.post("/noc/maintenance", data=sent))

    assert said in page
    assert "Mlingoti mpya." in page
    assert await windows(estate) == []


async def test_whoever_is_held_to_a_branch_plans_there_only(estate: Office) -> None:
    await estate.keep(a_branch("thika"), a_site("thika-1", branch_id="thika"))
    refused = []
    async with at_desk(estate, Role.SUPPORT, frozenset({"thika"})) as client:
        page = (await client.get("/noc/maintenance")).text
        for area in ("site:estate-1", "branch:main", "all"):
            sent = {**WORK, "area": area, "once": once_in(page)}
            await client.post("/noc/maintenance", data=sent)
            refused.append(len(await windows(estate)))
        sent = {**WORK, "area": "branch:thika", "once": once_in(page)}
        await client.post("/noc/maintenance", data=sent)

    assert ("site:thika-1" in page, "site:estate-1" in page) == (True, False)
    assert (refused, len(await windows(estate))) == ([0, 0, 0], 1)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"kind": "discount", "id": "karibu", "share": "20", "periods": "3"}, "20 % off, 3"),
        ({"kind": "coupon", "code": "xmas-26", "amount": "500", "uses": "100"}, "XMAS26"),
        ({"kind": "referral", "id": "friends", "referrer": "200"}, "brings a friend"),
        ({"kind": "loyalty", "id": "loyal", "every": "12", "reward": "500"}, "for every 12"),
        ({"kind": "loyalty", "id": "back", "share": "2.5", "plan": "day"}, "2.50 % of each"),
    ],
)
async def test_a_promotion_of_each_kind_is_made_and_ended(
    office: Office, sent: dict[str, str], shown: str
) -> None:
    async with at_desk(office, Role.BILLING) as client:
        made = await client.post("/noc/promotions", data={"name": "Karibu <b>", **sent})
        page = await told_after(client, made)
        async with office.deps.db.read() as tx:
            (row,) = await promotions.listed(tx)
        ended = await told_after(client, await client.post(f"/noc/promotions/{row.id}/withdraw"))

    assert shown in page
    assert "Karibu &lt;b&gt;" in page
    assert "withdrawn" in ended


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"kind": "discount", "id": "x", "share": "20", "amount": "5"}, "one of the two"),
        ({"kind": "coupon", "code": "?", "share": "20"}, "3 to 20 letters"),
        ({"kind": "referral", "id": "x"}, "something for one"),
        ({"kind": "loyalty", "id": "x", "every": "many", "reward": "5"}, "whole number"),
        ({"kind": "discount", "id": "X!", "share": "20"}, "want 1 to 32"),
    ],
)
async def test_a_promotion_that_cannot_be_is_refused_and_stays_typed(
    office: Office, sent: dict[str, str], said: str
) -> None:
    async with at_desk(office, Role.BILLING) as client:
        made = await client.post("/noc/promotions", data={"name": "Karibu", **sent})
        page = await told_after(client, made)
    async with office.deps.db.read() as tx:
        kept = await promotions.listed(tx)

    assert said in page
    assert 'value="Karibu"' in page
    assert kept == []


async def test_what_a_promotion_cost_is_what_the_ledger_says(office: Office) -> None:
    await office.keep(a_branch("thika"))
    anne = wallet("anne")
    postings = [
        Posting(anne, discount("main", "karibu"), Money(300_00)),
        Posting(anne, reward("main", "karibu"), Money(50_00)),
        Posting(reward("main", "karibu"), anne, Money(20_00)),
        Posting(anne, discount("thika", "karibu"), Money(7_00)),
        Posting(anne, discount("main", "karibu2"), Money(9_000_00)),
    ]
    async with at_desk(office) as client:
        sent = {"kind": "discount", "id": "karibu", "name": "Karibu", "share": "20"}
        await client.post("/noc/promotions", data=sent)
        async with office.deps.db.begin() as tx:
            await ledger.post(tx, Transaction(TransactionId("t"), NOON, "x", tuple(postings)))
        all_of_it = (await client.get("/noc/promotions")).text
    async with at_desk(office, Role.BILLING, frozenset({"thika"})) as client:
        theirs = (await client.get("/noc/promotions")).text
    async with at_desk(office, Role.CASHIER) as client:
        counter = (await client.get("/noc/promotions")).text

    assert "KES 337" in all_of_it
    assert ("KES 7" in theirs, "337" in theirs) == (True, False)
    assert "Cost by the ledger" not in counter


FORMS = {"/noc/brand": LOOKS, "/noc/maintenance": WORK, "/noc/promotions": {"kind": "discount"}}


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_of_another_site_and_of_who_may_not_is_refused(
    office: Office, path: str
) -> None:
    async with at_desk(office) as client:
        elsewhere = await client.post(path, data=FORMS[path], headers=ELSEWHERE)
    async with at_desk(office, Role.READ_ONLY) as client:
        reader = await client.post(path, data=FORMS[path])

    assert (elsewhere.status_code, reader.status_code) == (403, 403)


async def test_only_who_runs_the_business_sees_what_it_might_look_like(office: Office) -> None:
    paths = ("/noc/brand", "/noc/brand/portal", "/noc/brand/paper")
    async with at_desk(office, Role.BILLING) as client:
        seen = [(await client.get(path, params=LOOKS)).status_code for path in paths]

    assert seen == [403, 403, 403]


@pytest.mark.parametrize("frame", ["portal", "paper"])
async def test_who_is_of_one_branch_is_shown_no_brand_of_all(office: Office, frame: str) -> None:
    async with at_desk(office, Role.OWNER, frozenset({"main"})) as client:
        answer = await client.get(f"/noc/brand/{frame}?name=Kahawa")

    assert answer.status_code == 403
