"""A new site and its way online: the form, who is shown the command, and each tick by its fact."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.ids import SiteId
from controller.noc.joining_board import Known, is_up, stopped, ticks
from controller.rights import Role
from controller.store.series_rows import SiteVitalsRow
from controller.store.site_rows import JoinStepRow, JoinTokenRow, SiteRow
from controller.usecases.joining import Step, new_code, note_step
from controller.usecases.sites import enrol
from tests.controller.edge.certificates import a_csr
from tests.support.desk import a_branch, at_desk
from tests.support.office import NOON, Office, a_site, caller

if TYPE_CHECKING:
    import httpx2

HOSTILE = "<script>alert(1)</script>'\"$(x)"
DIGEST = bytes(range(32))
LATER = NOON + timedelta(minutes=1)


def told(page: str) -> str:
    """The command that a page shows."""
    found = re.search(r'id="command"[^>]*>([^<]*)<', page)
    return "" if found is None else html.unescape(found[1])


async def made(client: httpx2.AsyncClient, **sent: str) -> str:
    """Where the form leads."""
    answer = await client.post("/noc/sites/new", data=sent)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def kept(office: Office, site_id: str) -> SiteRow:
    async with office.deps.db.read() as tx:
        return await tx.get_one(SiteRow, site_id)


async def test_a_site_is_made_of_a_name_alone_and_its_command_is_shown(office: Office) -> None:
    async with at_desk(office, Role.TECHNICIAN) as client:
        to = await made(client, name="Ruiru Stage 2")
        page = await client.get(to)

    assert to == "/noc/sites/ruiru-stage-2/joining"
    assert "/i/" in told(page.text)
    assert page.headers["cache-control"] == "no-store"


async def test_a_mikrotik_site_shows_how_the_machine_beside_the_router_joins(
    office: Office,
) -> None:
    async with at_desk(office, Role.TECHNICIAN) as client:
        to = await made(client, name="Ruiru", kind="mikrotik")
        page = (await client.get(to)).text
        plain = await made(client, name="Thika", kind="linux")
        refused = await made(client, name="", kind="mikrotik")
        again = (await client.get(refused)).text

    assert to == "/noc/sites/ruiru/joining?kind=mikrotik"
    assert told(page).endswith(" --router 10.9.0.1")
    assert "lango-agent router confirm" in page
    assert plain == "/noc/sites/thika/joining"
    assert 'value="mikrotik" checked' in again


async def test_a_site_has_the_branch_the_place_and_the_id_that_were_typed(office: Office) -> None:
    await office.keep(a_branch("thika"))
    async with at_desk(office) as client:
        place = "https://maps.example/?q=-1.0396,37.0900"
        await made(client, name="Thika", id="THK-1", branch="thika", place=place)
    site = await kept(office, "thk-1")

    assert (site.branch_id, site.latitude_e6, site.longitude_e6) == (
        "thika",
        -1_039_600,
        37_090_000,
    )


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"name": ""}, "1 to 80 characters"),
        ({"name": "x" * 81}, "1 to 80 characters"),
        ({"name": "X", "id": "no good"}, "a-z, 0-9 and -"),
        ({"name": "X", "id": "new"}, "no site can be called new"),
        ({"name": "New"}, "no site can be called new"),
        ({"name": "X", "branch": "nowhere"}, "there is no branch nowhere"),
        ({"name": "X", "place": "over there"}, "with coordinates"),
        ({"name": "X", "language": "fr"}, "want one of en, sw"),
    ],
)
async def test_what_cannot_be_is_said_keeps_what_was_typed_and_leaves_nothing(
    office: Office, sent: dict[str, str], sentence: str
) -> None:
    async with at_desk(office) as client:
        to = await made(client, **sent)
        page = (await client.get(to)).text
        sites = (await client.get("/noc/sites")).text

    assert to.startswith("/noc/sites/new?")
    assert sentence in page
    assert sent["name"][:80] in page
    assert "No sites yet" in sites


async def test_a_second_site_of_a_name_gets_an_id_of_its_own(office: Office) -> None:
    async with at_desk(office) as client:
        went = [await made(client, name="Ruiru") for _ in range(2)]
        same = await made(client, name="Ruiru", id="ruiru")
        nameless = await made(client, name="網吧")

    assert went == ["/noc/sites/ruiru/joining", "/noc/sites/ruiru-2/joining"]
    assert same.startswith("/noc/sites/new?")
    assert nameless == "/noc/sites/site/joining"


async def test_only_the_browser_that_made_the_code_is_shown_the_command(office: Office) -> None:
    await office.keep(a_site("ruiru"), a_site("thika"))
    async with at_desk(office) as client, at_desk(office) as other:
        await client.post("/noc/sites/ruiru/joining")
        mine = (await client.get("/noc/sites/ruiru/joining")).text
        again = (await client.get("/noc/sites/ruiru/joining")).text
        theirs = (await other.get("/noc/sites/ruiru/joining")).text
        elsewhere = (await client.get("/noc/sites/thika/joining")).text

    assert told(mine) == told(again) != ""
    assert told(theirs) == told(elsewhere) == ""
    assert "was shown to whoever made it" in theirs
    assert "There is no code that is good" in elsewhere


async def test_a_new_code_takes_the_place_of_the_old_one_and_an_old_one_is_not_shown(
    office: Office,
) -> None:
    await office.keep(a_site("ruiru"))
    async with at_desk(office) as client:
        shown = []
        for _ in range(2):
            await client.post("/noc/sites/ruiru/joining")
            shown.append(told((await client.get("/noc/sites/ruiru/joining")).text))
        office.clock.forward(minutes=60)
        late = (await client.get("/noc/sites/ruiru/joining")).text

    assert shown[0] != shown[1]
    assert told(late) == ""


async def test_a_hostile_name_is_text_on_the_page_and_no_part_of_the_command(
    office: Office,
) -> None:
    async with at_desk(office) as client:
        page = (await client.get(await made(client, name=HOSTILE))).text

    assert "<script>alert" not in page
    assert "alert" not in told(page).replace("/script-alert-1-script-x/", "")


async def test_who_may_not_run_sites_sees_neither_page(office: Office) -> None:
    await office.keep(a_site("ruiru"))
    async with at_desk(office, Role.CASHIER) as client:
        answers = [
            (await client.get("/noc/sites/new")).status_code,
            (await client.post("/noc/sites/new", data={"name": "X"})).status_code,
            (await client.get("/noc/sites/ruiru/joining")).status_code,
            (await client.post("/noc/sites/ruiru/joining")).status_code,
        ]

    assert answers == [403] * 4


async def test_a_site_of_another_branch_is_not_there(office: Office) -> None:
    await office.keep(a_branch("thika"), a_site("ruiru"))
    async with at_desk(office, Role.TECHNICIAN, frozenset({"thika"})) as client:
        answers = [
            (await client.get("/noc/sites/ruiru/joining")).status_code,
            (await client.post("/noc/sites/ruiru/joining")).status_code,
        ]

    assert answers == [404, 404]


async def test_it_leads_back_to_where_somebody_came_from_and_to_nobody_else(office: Office) -> None:
    async with at_desk(office) as client:
        form = (await client.get("/noc/sites/new?back=/noc/setup")).text
        there = await made(client, name="One", back="/noc/setup")
        outside = await made(client, name="Two", back="https://evil.example/")

    assert 'name="back" value="/noc/setup"' in form
    assert there == "/noc/sites/one/joining?back=%2Fnoc%2Fsetup"
    assert "evil" not in (outside + form)


async def test_settings_that_name_this_machine_are_named(office: Office) -> None:
    await office.keep(a_site("ruiru"))
    async with at_desk(office) as client:
        page = (await client.get("/noc/sites/ruiru/joining")).text

    assert "http.public_url names this machine" in page
    assert "edge.public_host names this machine" in page


async def test_what_the_script_tells_and_the_enrolment_are_seen(office: Office) -> None:
    await office.keep(a_site("ruiru", last_seen_at=None))
    code = await new_code(office.deps, SiteId("ruiru"))
    for sent in ({"step": "began"}, {"step": "chosen", "lan": "eth1", "wan": "eth0"}):
        await note_step(office.deps, code, sent)
    await enrol(office.deps, code, a_csr())
    async with caller(office) as client:
        page = (await client.get("/noc/sites/ruiru/joining")).text

    assert "Devices on eth1, internet on eth0." in page
    assert re.findall(r'<li class="(\w+)" id="tick-(\w+)"', page) == [
        ("good", "began"),
        ("good", "installed"),
        ("good", "chosen"),
        ("good", "joined"),
        ("busy", "connected"),
        ("quiet", "interfaces"),
        ("quiet", "clock"),
        ("quiet", "policy"),
        ("quiet", "portal"),
        ("quiet", "online"),
    ]


def known(
    *steps: tuple[str, str], used: bool = False, seen: int | None = None, **box: object
) -> Known:
    """What is known a minute after noon; ``seen`` is how many seconds after noon it reported."""
    token = JoinTokenRow(
        secret_hash="a" * 64, site_id="ruiru", created_at=NOON,
        expires_at=NOON + timedelta(hours=1), used_at=NOON if used else None,
    )  # fmt: skip
    site = a_site(
        "ruiru",
        last_seen_at=None if seen is None else NOON + timedelta(seconds=seen),
        generation=3,
        digest=DIGEST,
        applied_generation=3 if used else 0,
        applied_digest=DIGEST if used else b"",
    )
    rows = {
        step: JoinStepRow(
            secret_hash="a" * 64, step=step, at=NOON + timedelta(seconds=n), told=word
        )
        for n, (step, word) in enumerate(steps)
    }
    vitals = None
    if box:
        usual = dict.fromkeys(SiteVitalsRow.__table__.columns.keys())
        vitals = SiteVitalsRow(**(usual | {"site_id": "ruiru", "at": NOON, "boot": "b"} | box))
    return Known(LATER, site, token, rows, vitals)


def tones(what: Known) -> dict[str, str]:
    return {one.key: one.tone for one in ticks(what)}


WELL = {"lan_down_bytes": 1, "wan_down_bytes": 1, "clock_skew_ms": -20, "portal_open": True}


def test_at_first_the_command_is_waited_for() -> None:
    found = tones(known())

    assert found.pop(Step.BEGAN) == "busy"
    assert set(found.values()) == {"quiet"}


def test_with_all_facts_every_tick_is_there() -> None:
    what = known(used=True, seen=30, **WELL)

    assert set(tones(what).values()) == {"good"}
    assert is_up(what)


@pytest.mark.parametrize(
    ("box", "key", "said"),
    [
        ({"clock_skew_ms": 86_400_000}, "clock", "run an NTP client"),
        ({"clock_skew_ms": -1_001}, "clock", "run an NTP client"),
        ({"lan_down_bytes": None}, "interfaces", "no LAN"),
        ({"wan_down_bytes": None}, "interfaces", "no WAN"),
        ({"portal_open": False}, "portal", "cannot be opened yet"),
    ],
)
def test_what_is_wrong_is_named(box: dict[str, int | None], key: str, said: str) -> None:
    found = {one.key: one for one in ticks(known(used=True, seen=30, **(WELL | box)))}

    assert found[key].tone == "bad"
    assert said in found[key].told


def test_an_agent_beside_a_router_has_no_interfaces_to_look_for() -> None:
    beside = WELL | {"lan_down_bytes": None, "wan_down_bytes": None}
    found = {one.key: one for one in ticks(known(used=True, seen=30, **beside))}

    assert found["interfaces"].tone == "good"
    assert "beside a router" in found["interfaces"].told


def test_an_agent_of_before_the_word_is_not_waited_for() -> None:
    what = known(used=True, seen=30, **(WELL | {"portal_open": None}))

    assert tones(what)["portal"] == "good"


def test_nothing_that_an_earlier_agent_said_counts() -> None:
    what = known(used=True, seen=-1, **(WELL | {"at": NOON - timedelta(seconds=1)}))

    assert [key for key, tone in tones(what).items() if tone == "good"] == [
        *("began", "installed", "chosen", "joined")
    ]
    assert not is_up(what)


def test_a_site_that_has_gone_silent_is_told() -> None:
    what = known(used=True, seen=0, **WELL)
    later = Known(NOON + timedelta(minutes=9), what.site, what.token, what.steps, what.vitals)

    assert tones(later)["online"] == "bad"


def test_where_the_script_stopped_is_told_until_it_goes_on() -> None:
    failed = (("began", ""), ("failed", "joined"))
    again = known(*failed, ("installed", ""))
    at = stopped(known(*failed))

    assert at is not None
    assert "Does the machine reach" in at.why
    assert stopped(again) is None
    assert stopped(known(("began", ""))) is None
