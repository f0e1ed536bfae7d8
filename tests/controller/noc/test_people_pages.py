"""The pages of customers, sessions and search, without a browser: what they show and do."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from billing.ids import PlanId, SiteId
from billing.msisdn import Msisdn
from controller.api.errors import NotFound
from controller.noc.live import Asked
from controller.noc.pages import customers, search, sessions, theirs
from controller.rights import Role, Who
from controller.store.audit_rows import AuditRow
from controller.store.billing_rows import BranchRow
from controller.store.payment_rows import ArrivalRow
from controller.store.people_rows import SubscriberNoteRow
from controller.store.rows import GrantRow, GrantSiteRow, PaymentRow, SmsRow, SubscriberRow
from controller.store.site_rows import SiteItemRow
from controller.usecases.grants import give
from controller.usecases.subscribers import SubscriberChange, add_subscriber, change_subscriber
from tests.controller.noc.test_page import EVIL, Loads
from tests.support.desk import at_desk
from tests.support.office import (
    NOON,
    Office,
    a_payment,
    a_plan,
    a_session,
    a_site,
    caller,
)
from tests.support.two_branches import HERE, IDS, THERE, two_branches

if TYPE_CHECKING:
    import httpx2

PHONE = "254712345678"
MAC = "02:00:00:00:00:01"
SESSION = "7" * 32
OURS = {"Sec-Fetch-Site": "same-origin"}
THIKA = Who("t", "T", Role.SUPPORT, frozenset({"thika"}))


async def a_customer(office: Office, name: str = "Wanjiku Kamau", **session: Any) -> str:
    """Somebody who was given two hours and is online; the grant's id."""
    await office.keep(a_site(), a_plan())
    await add_subscriber(office.deps, Msisdn(PHONE), SubscriberChange(name=name))
    grant_id = await give(
        office.deps,
        SiteId("estate-1"),
        plan_id=PlanId("hours-2"),
        device_mac=MAC,
        msisdn=Msisdn(PHONE),
    )
    await office.keep(a_session(SESSION, grant_id=grant_id, opened_at=NOON, **session))
    return grant_id


async def shown(office: Office, path: str) -> str:
    async with caller(office) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def posted(office: Office, path: str, **sent: str) -> httpx2.Response:
    async with caller(office) as client:
        return await client.post(path, data=sent, headers=OURS)


async def devices(office: Office, grant_id: str) -> str:
    async with office.deps.db.read() as tx:
        return (await tx.get_one(GrantRow, grant_id)).devices


async def told_generation(office: Office, grant_id: str) -> int:
    async with office.deps.db.read() as tx:
        return (await tx.get_one(SiteItemRow, ("estate-1", f"grant/{grant_id}"))).generation


def words(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html).split())


async def test_a_customer_is_shown_with_why_they_are_not_online(office: Office) -> None:
    await a_customer(office)
    office.clock.forward(seconds=60)
    html = await shown(office, f"/noc/customers/{PHONE}")
    text = words(html)

    assert "Wanjiku Kamau" in text
    assert "0712 345 678" in text
    assert "not online" in text
    assert "Applied at the site: Estate 1 " in text
    assert html.count('class="step"') == 6
    assert MAC in text


async def test_pages_hold_nothing_inline_and_nothing_of_another_host(office: Office) -> None:
    await a_customer(office)
    for path in (
        "/noc/customers",
        f"/noc/customers/{PHONE}",
        f"/noc/customers/{PHONE}/edit",
        "/noc/customers/add",
        "/noc/sessions",
        f"/noc/sessions/{SESSION}",
        "/noc/search?q=wan",
    ):
        loads = Loads(await shown(office, path))

        assert loads.forbidden == [], path
        assert [one for one in loads.fetched if not one.startswith("/")] == [], path


async def test_what_others_wrote_is_text_and_never_markup(office: Office) -> None:
    await a_customer(office, mac=EVIL[:17], addresses=EVIL)
    await change_subscriber(office.deps, PHONE, SubscriberChange(name=EVIL, address=EVIL))
    await posted(office, f"/noc/customers/{PHONE}/note", text=EVIL)
    for path in (
        "/noc/customers",
        f"/noc/customers/{PHONE}",
        f"/noc/customers/{PHONE}/edit",
        "/noc/sessions",
        f"/noc/sessions/{SESSION}",
        "/noc/search?q=script",
        "/noc/search?q=%3Cscript%3E",
        "/noc/search/hits?q=script",
    ):
        assert "<script>alert" not in await shown(office, path), path


async def test_one_click_disconnects_and_one_more_undoes_it(office: Office) -> None:
    grant_id = await a_customer(office)
    before = await told_generation(office, grant_id)
    gone = await posted(office, f"/noc/sessions/{SESSION}/disconnect", back="/noc/sessions")
    without = await devices(office, grant_id)
    page = await shown(office, gone.headers["location"])
    form = re.search(r'action="/noc/sessions/undo".*?</form>', page, re.DOTALL)
    assert form is not None
    sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    back = await posted(office, "/noc/sessions/undo", **sent)

    assert (gone.status_code, back.status_code) == (303, 303)
    assert without == ""
    assert sent == {"grant_id": grant_id, "mac": MAC, "back": "/noc/sessions"}
    assert await devices(office, grant_id) == MAC
    assert await told_generation(office, grant_id) == before + 2


async def test_after_five_seconds_nothing_is_left_to_undo(office: Office) -> None:
    await a_customer(office)
    gone = await posted(office, f"/noc/sessions/{SESSION}/disconnect", back="/noc/sessions")
    office.clock.forward(seconds=6)

    assert "/noc/sessions/undo" not in await shown(office, gone.headers["location"])


async def test_access_moves_to_another_device(office: Office) -> None:
    grant_id = await a_customer(office)
    await posted(office, f"/noc/sessions/{SESSION}/move", device_mac="AABB.CCDD.EE0F")

    assert await devices(office, grant_id) == "aa:bb:cc:dd:ee:0f"


@pytest.mark.parametrize("typed", ["", "aa:bb", "ff:ff:ff:ff:ff:ff", EVIL])
async def test_access_does_not_move_to_what_is_no_device(office: Office, typed: str) -> None:
    grant_id = await a_customer(office)
    answer = await posted(office, f"/noc/sessions/{SESSION}/move", device_mac=typed)

    assert answer.status_code == 303
    assert await devices(office, grant_id) == MAC


async def test_more_is_given_for_a_reason_and_traced_to_staff(office: Office) -> None:
    first = await a_customer(office)
    plain = await posted(office, f"/noc/sessions/{SESSION}/give", plan_id="hours-2", reason=" ")
    given = await posted(
        office, f"/noc/sessions/{SESSION}/give", plan_id="hours-2", reason="the mast was down"
    )
    async with office.deps.db.read() as tx:
        rows = [row for row in await _grants(tx) if row.id != first]
        share = await tx.get(GrantSiteRow, (rows[0].id, "estate-1"))

    assert (plain.status_code, given.status_code) == (303, 303)
    assert len(rows) == 1
    assert rows[0].cause_id == f"staff:{rows[0].id}"
    assert rows[0].devices == MAC
    assert share is not None


async def test_access_is_given_for_a_reason_that_the_audit_log_keeps(office: Office) -> None:
    first = await a_customer(office)
    asked = {"plan_id": "hours-2", "site_id": "estate-1", "device_mac": MAC}
    for reason in ("", " ", "r" * 201):
        await posted(office, f"/noc/customers/{PHONE}/give", **asked, reason=reason)
    async with office.deps.db.read() as tx:
        assert [row.id for row in await _grants(tx)] == [first]
    await posted(office, f"/noc/customers/{PHONE}/give", **asked, reason="the mast was down")
    async with office.deps.db.read() as tx:
        (given,) = [row for row in await _grants(tx) if row.id != first]
        told = [row.changes for row in await tx.scalars(select(AuditRow))]
    notes = [one for text in told for one in json.loads(text) if one.get("note") == "give"]

    assert [(one["about"], one["after"]) for one in notes] == [
        (
            ["grant", given.id],
            {"plan": "hours-2", "price_minor": 1_000, "reason": "the mast was down"},
        )
    ]
    assert 'name="reason"' in await shown(office, f"/noc/customers/{PHONE}/edit")


async def _grants(tx: Any) -> list[GrantRow]:
    return list(await tx.scalars(select(GrantRow)))


async def test_a_note_and_a_message_are_kept_with_who_wrote_them(office: Office) -> None:
    await a_customer(office)
    await posted(office, f"/noc/customers/{PHONE}/note", text="calls when\n it rains")
    await posted(office, f"/noc/customers/{PHONE}/message", text="We are on our way")
    async with office.deps.db.read() as tx:
        note = (await tx.scalars(select(SubscriberNoteRow))).one()
        sms = (await tx.scalars(select(SmsRow))).one()

    assert (note.text, note.staff_name) == ("calls when it rains", "the key")
    assert (sms.msisdn, sms.state) == (PHONE, "waiting")
    assert "calls when it rains" in words(await shown(office, f"/noc/customers/{PHONE}"))


async def test_a_customer_is_added_and_edited_by_forms(office: Office) -> None:
    made = await posted(
        office,
        "/noc/customers/add",
        phone="0722 000 001",
        name="Amina Hassan",
        segment="business",
        branch_id="main",
        language="sw",
    )
    wrong = await posted(office, "/noc/customers/254722000001/edit", email="nonsense")
    saved = await posted(office, "/noc/customers/254722000001/edit", name="Amina Ali")
    text = words(await shown(office, "/noc/customers/254722000001"))

    assert made.headers["location"] == "/noc/customers/254722000001"
    assert wrong.headers["location"].endswith("/edit")
    assert saved.headers["location"] == "/noc/customers/254722000001"
    assert "Amina Ali" in text
    assert "business" in text


async def test_a_form_of_another_site_changes_nothing(office: Office) -> None:
    grant_id = await a_customer(office)
    async with caller(office, None) as client:
        await client.post("/noc/login", data={"key": office.key}, headers=OURS)
        answers = [
            await client.post(path, headers={"Sec-Fetch-Site": "cross-site"})
            for path in (
                f"/noc/sessions/{SESSION}/disconnect",
                f"/noc/sessions/{SESSION}/give",
                f"/noc/customers/{PHONE}/edit",
                f"/noc/customers/{PHONE}/note",
            )
        ]

    assert {answer.status_code for answer in answers} == {403}
    assert await devices(office, grant_id) == MAC


def an_asked(
    office: Office, who: Who, *, query: dict[str, str] | None = None, **path: str
) -> Asked:
    return Asked(who=who, query=query or {}, path=path, now=office.clock(), deps=office.deps)


async def test_who_is_held_to_a_branch_sees_nobody_of_another(office: Office) -> None:
    await office.keep(
        BranchRow(id="thika", name="Thika", address="", phone="", email="", kra_branch="",
                  created_at=NOON)
    )  # fmt: skip
    await a_customer(office)
    listed = await customers.look(an_asked(office, THIKA))
    searched = await customers.look(an_asked(office, THIKA, query={"q": "wanjiku"}))
    live = await sessions.look(an_asked(office, THIKA))
    found = await search.look(an_asked(office, THIKA, query={"q": "wanjiku"}))

    assert (listed.lines, searched.lines, live.lines, live.count) == ((), (), (), 0)
    assert found.groups == ()
    with pytest.raises(NotFound):
        await customers.look_at_one(an_asked(office, THIKA, phone=PHONE))
    with pytest.raises(NotFound):
        await sessions.look_at_one(an_asked(office, THIKA, session_id=SESSION))


async def test_who_is_held_to_a_branch_makes_customers_of_it_alone(office: Office) -> None:
    await two_branches(office)
    new = {"phone": "0722 000 001", "name": "Amina Hassan"}
    theirs, other = {"branch_id": HERE}, {"referred_by": IDS[THERE]["msisdn"]}
    async with at_desk(office, Role.SUPPORT, frozenset({HERE})) as client:
        for sent in (new, {**new, "branch_id": THERE}, {**new, **theirs, **other}):
            await client.post("/noc/customers/add", data=sent)
        edited = await client.post(f"/noc/customers/{IDS[HERE]['msisdn']}/edit", data=other)
        unknown = await client.post(
            f"/noc/customers/{IDS[HERE]['msisdn']}/edit", data={"referred_by": "0722 999 999"}
        )
    before = await everybody(office)
    async with at_desk(office, Role.SUPPORT, frozenset({HERE})) as client:
        ours = {**new, **theirs, "referred_by": IDS[HERE]["msisdn"]}
        await client.post("/noc/customers/add", data=ours)
    (made,) = set(await everybody(office)) - set(before)

    assert {one[1:] for one in before} == {(HERE, None), (THERE, None)}
    assert edited.headers["location"] == unknown.headers["location"]
    assert made[1:] == (HERE, IDS[HERE]["subscriber"])


async def everybody(office: Office) -> list[tuple[str, str, str | None]]:
    """Each customer's phone, branch, and who brought them."""
    async with office.deps.db.read() as tx:
        rows = await tx.scalars(select(SubscriberRow))
        return [(row.msisdn, row.branch_id, row.referred_by) for row in rows]


async def test_money_is_shown_to_those_who_may_see_it(office: Office) -> None:
    await a_customer(office)
    await office.keep(a_payment(subscriber_id=await _id(office)))
    owner = await customers.look_at_one(an_asked(office, Who("o", "O", Role.OWNER), phone=PHONE))
    tech = await customers.look_at_one(
        an_asked(office, Who("t", "T", Role.TECHNICIAN), phone=PHONE)
    )

    assert (len(owner.payments), owner.is_money_shown) == (1, True)
    assert (tech.payments, tech.received, tech.documents) == ((), (), ())


async def _id(office: Office) -> str:
    async with office.deps.db.read() as tx:
        return (await theirs.subscriber(tx, Who("o", "O", Role.OWNER), PHONE)).id


# What narrows the list, and how many of the three live sessions are on the page.
FILTERS = """
  -                 3
  site=estate-1     2
  site=estate-2     1
  plan=hours-2      3
  plan=other        0
  phone=0712        2
  phone=0799        0
  mac=00:02         1
  mac=020000000001  1
  sort=most         3
  sort=fastest      3
"""


@pytest.mark.parametrize("row", FILTERS.strip().splitlines())
async def test_live_sessions_are_narrowed_by_the_address(office: Office, row: str) -> None:
    narrowed, count = row.split()
    grant_id = await a_customer(office)
    await office.keep(
        a_site("estate-2", name="Estate 2"),
        a_session("6" * 32, grant_id=grant_id, mac="02:00:00:00:00:02"),
        a_session("5" * 32, grant_id="0" * 32, site_id="estate-2", mac="02:00:00:00:00:03"),
        a_session("4" * 32, grant_id=grant_id, closed_at=NOON, closed_reason="idle"),
    )
    query = {} if narrowed == "-" else dict([narrowed.split("=")])
    board = await sessions.look(an_asked(office, Who("o", "O", Role.OWNER), query=query))
    known = int(count) - (1 if narrowed == "plan=hours-2" else 0)

    assert len(board.lines) == board.count == known


@pytest.mark.parametrize("sort", ["newest", "most", "fastest"])
async def test_pages_of_live_sessions_follow_one_another_without_a_gap(
    office: Office, sort: str
) -> None:
    grant_id = await a_customer(office)
    more = [
        a_session(
            f"{n:032x}",
            grant_id=grant_id,
            mac=f"02:00:00:00:01:{n:02x}",
            opened_at=NOON - timedelta(seconds=n // 3),
            down_bytes=1_000 * (n // 3),
        )
        for n in range(119)
    ]
    await office.keep(*more)
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        query = {"sort": sort, **({"cursor": cursor} if cursor else {})}
        board = await sessions.look(an_asked(office, Who("o", "O", Role.OWNER), query=query))
        seen += [line.id for line in board.lines]
        found = re.search("cursor=([^&]+)", board.next)
        if found is None:
            break
        cursor = found[1]

    assert len(seen) == 120
    assert len(set(seen)) == 120


@pytest.mark.parametrize(
    ("typed", "shown_there"),
    [
        *((f"{verb} {PHONE}", "") for verb in ("why", "disconnect", "extend", "message", "note")),
        (f"edit {PHONE}", 'id="edit-title"'),
        ("add site", 'action="/noc/sites/new"'),
        ("add customer", 'action="/noc/customers/add"'),
        ("make vouchers", '<details class="more-form" open>'),
    ],
)
async def test_a_command_leads_to_where_it_is_done(
    office: Office, typed: str, shown_there: str
) -> None:
    await a_customer(office)
    async with at_desk(office) as client:
        await client.post(
            "/noc/vouchers/make", data={"once": "a" * 32, "plan": "hours-2", "count": "2"}
        )
        hits = (await client.get(f"/noc/search/hits?q={typed}")).text
        (to,) = re.findall(r'<a class="hit" href="([^"]*)"', hits)
        page = await client.get(to)

    path, _, fragment = to.partition("#")
    assert page.status_code == 200, to
    assert (f'id="{fragment}"' if fragment else shown_there) in page.text, path


async def test_staff_of_a_branch_are_offered_nothing_that_concerns_all(office: Office) -> None:
    await two_branches(office)
    async with at_desk(office, Role.ADMIN, frozenset({HERE})) as client:
        offered = [
            (await client.get(f"/noc/search/hits?q={typed}")).text.count('"hit" href="')
            for typed in ("add site", "make vouchers", "add customer")
        ]
        sites = (await client.get("/noc/sites")).text
        new_site = await client.get("/noc/sites/new")

    assert offered == [0, 0, 1]
    assert "/noc/sites/new" not in sites
    assert new_site.status_code == 404


async def test_every_hit_leads_to_the_page_of_what_was_found(office: Office) -> None:
    await two_branches(office)
    async with office.deps.db.begin() as tx:
        order = await tx.get_one(PaymentRow, IDS[HERE]["payment"])
        order.reference = "7K3M9P"
        arrival = await tx.get_one(ArrivalRow, IDS[HERE]["arrival"])
        arrival.receipt = "SGH7K2Q0XD"
        found_by = {"7K3M9P": order.receipt, arrival.receipt: arrival.receipt}
    async with at_desk(office) as client:
        sent = {"once": "a" * 32, "plan": "hours-2", "count": "2"}
        made = (await client.post("/noc/vouchers/make", data=sent)).headers["location"]
        codes = (await client.get(f"{made.partition('?')[0]}/codes.csv")).text.splitlines()
        code, _, batch = codes[1].split(",")
        found_by |= {code: batch, "site-thika": "site-thika"}
        for typed, told in found_by.items():
            hits = (await client.get(f"/noc/search/hits?q={typed}")).text
            places = re.findall(r'<a class="hit" href="([^"]*)"', hits)
            answers = [await client.get(to) for to in places]
            assert places, typed
            assert [one.status_code for one in answers] == [200] * len(places), places
            assert all(str(told) in one.text for one in answers), places


async def test_the_fragment_of_hits_is_a_part_of_a_page(office: Office) -> None:
    await a_customer(office)
    html = await shown(office, "/noc/search/hits?q=wanj")

    assert f'href="/noc/customers/{PHONE}"' in html
    assert "<html" not in html


@pytest.mark.parametrize(
    "path",
    [
        "/noc/customers?cursor=x",
        "/noc/customers?standing=rich",
        "/noc/sessions?sort=x",
        "/noc/sessions?mac=zz",
        "/noc/sessions?phone=zz",
        "/noc/sessions?sort=most&cursor=x",
        "/noc/sessions?cursor=x",
    ],
)
async def test_an_address_that_cannot_be_is_refused_by_name(office: Office, path: str) -> None:
    async with caller(office) as client:
        answer = await client.get(path)

    assert answer.status_code == 422


async def test_a_device_is_blocked_when_its_address_was_typed(office: Office) -> None:
    await a_customer(office)
    to = f"/noc/sessions/{SESSION}"
    await posted(office, f"{to}/block", reason="spoofs", sure="yes")
    not_yet = await shown(office, to)
    await posted(office, f"{to}/block", reason="spoofs", sure=MAC)
    blocked = await shown(office, to)
    await posted(office, f"{to}/unblock")

    assert "Unblock" not in not_yet
    assert "spoofs" in blocked
    assert "Unblock" not in await shown(office, to)


@pytest.mark.parametrize(
    "path", [f"/noc/sessions/{SESSION}", f"/noc/customers/{PHONE}/edit", "/noc/customers/add"]
)
async def test_each_field_of_a_page_has_an_id_of_its_own(office: Office, path: str) -> None:
    await a_customer(office)
    ids = re.findall(r' id="([^"]+)"', await shown(office, path))

    assert sorted(ids) == sorted(set(ids))


async def test_what_staff_did_about_a_customer_is_on_their_page_and_leads_to_the_log(
    office: Office,
) -> None:
    grant_id = await a_customer(office)
    await posted(office, "/noc/customers/0712345678/edit", name="Amina")
    await posted(office, f"/noc/sessions/{SESSION}/disconnect")
    await posted(office, "/noc/customers/add", phone="0722000001", name="Otieno")
    async with caller(office) as client:
        await client.post(f"/api/v1/grants/{grant_id}/suspend")
    html = await shown(office, f"/noc/customers/{PHONE}")
    section = html.partition('id="deeds-title"')[2].partition("</section>")[0]
    log = await shown(office, re.findall('href="(/noc/audit[^"]*)"', section)[0])

    for page in (section, log):
        text = words(page)
        assert "POST /noc/customers/{subscriber}/edit" in text
        assert "disconnect" in text
        assert f"grant {grant_id}" in text or "/suspend" in text
        assert "Otieno" not in text
        assert "customers/add" not in text


@pytest.mark.parametrize(
    ("role", "branches"),
    [(Role.SUPPORT, None), (Role.ADMIN, frozenset({"main"}))],
)
async def test_who_may_not_see_the_log_is_not_shown_it_there(
    office: Office, role: Role, branches: frozenset[str] | None
) -> None:
    await a_customer(office)
    async with at_desk(office, role, branches) as client:
        html = (await client.get(f"/noc/customers/{PHONE}")).text

    assert "Wanjiku" in html
    assert 'id="deeds-title"' not in html
