"""The pages of the set-up, as an owner fills them in: each saves by itself, none by halves."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from controller.backup.keys import RECIPIENT_FILE, recipient_of
from controller.choices import Choices
from controller.config import Fixed, Settings
from controller.config_sections import HttpSettings, SimulatedSection
from controller.noc import preferences
from controller.noc.preferences import Preferences
from controller.payments.absent import AbsentGateway
from controller.rights import Role
from controller.store import chosen, operators, plans
from controller.store.staff_rows import StaffPasskeyRow, StaffRow
from controller.usecases import first_shilling, recovery_key
from controller.usecases.backups import backup_due
from controller.usecases.messages import send_due
from controller.usecases.settle import take_callback
from controller.usecases.setup import Stand, StepName, progress
from tests.support.builders import token_in
from tests.support.desk import at_desk, told_after
from tests.support.office import NOON, a_site
from tests.support.staff import a_member

if TYPE_CHECKING:
    from controller.payments.memory import MemoryGateway
    from tests.support.office import Office

FORM = {
    "environment": "simulated",
    "shortcode": "600111",
    "till": "",
    "consumer_key": "key",
    "consumer_secret": "never-shown-secret",
    "passkey": "never-shown-passkey",
}
BUSINESS = {
    "name": "Mtaa Net",
    "kra_pin": "P051234567X",
    "vat": "1",
    "support_phone": "0712 345 678",
    "languages": "sw,en",
    "colour": "#0b6e4f",
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)


@pytest.fixture
def new(office: Office) -> Office:
    """A controller to which nothing was told but where its simulated providers are."""
    fixed = Fixed((("controller.toml", {"simulated": {"mpesa": "http://127.0.0.1:8090"}}),))
    told = {"mpesa": "http://127.0.0.1:8090", "sms": "http://127.0.0.1:8090"}
    settings = Settings(
        state_dir=office.deps.settings.state_dir, simulated=SimulatedSection(**told)
    )
    deps = replace(office.deps, settings=settings, choices=Choices(fixed))
    return replace(office, deps=deps)


async def stands(office: Office) -> dict[StepName, Stand]:
    async with office.deps.db.read() as tx:
        return {step.name: step.stand for step in (await progress(tx, office.deps)).steps}


@pytest.mark.parametrize(
    "path",
    ["", "/business", "/address", "/mpesa", "/sms", "/plans", "/site", "/backups"],
)
async def test_only_who_runs_the_whole_business_sets_it_up(office: Office, path: str) -> None:
    async with at_desk(office, Role.SUPPORT) as client:
        assert (await client.get(f"/noc/setup{path}")).status_code == 403
    async with at_desk(office, Role.OWNER, frozenset({"main"})) as client:
        assert (await client.get(f"/noc/setup{path}")).status_code == 403
    async with at_desk(office) as client:
        assert (await client.get(f"/noc/setup{path}")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "business", "business/logo", "address", "address/look", "mpesa", "mpesa/test",
        "mpesa/forget", "sms", "sms/test", "plans", "backups/key", "backups/confirm", "aside",
    ],
)  # fmt: skip
async def test_nobody_else_posts_there(office: Office, path: str) -> None:
    async with at_desk(office, Role.BILLING) as client:
        assert (await client.post(f"/noc/setup/{path}", data={"x": "y"})).status_code == 403
    async with at_desk(office, Role.OWNER, frozenset({"main"})) as client:
        assert (await client.post(f"/noc/setup/{path}", data={"x": "y"})).status_code == 403


async def test_every_fault_stands_at_its_field_and_no_secret_comes_back(new: Office) -> None:
    async with at_desk(new) as client:
        sent = {**FORM, "shortcode": "12x", "consumer_key": "", "till": "9"}
        answer = await client.post("/noc/setup/mpesa", data=sent)
    faults = re.findall(r'<small id="why-(\w+)">(want [^<]*|[^<]*at least[^<]*)', answer.text)

    assert answer.status_code == 422
    assert {name for name, _ in faults} == {"shortcode", "consumer_key", "till"}
    assert 'value="12x"' in answer.text
    assert "never-shown" not in answer.text
    async with new.deps.db.read() as tx:
        assert await chosen.every(tx) == []


async def test_keys_are_kept_and_a_secret_is_never_shown_again(new: Office) -> None:
    async with at_desk(new) as client:
        page = await told_after(client, await client.post("/noc/setup/mpesa", data=FORM))
        again = {**FORM, "consumer_secret": "", "passkey": "", "shortcode": "600222"}
        answer = await client.post("/noc/setup/mpesa", data=again)

    assert "takes it over" in page
    assert "never-shown" not in page
    assert answer.status_code == 303
    async with new.deps.db.read() as tx:
        kept = {row.name: row for row in await chosen.every(tx)}
    assert kept["mpesa.shortcode"].value == '"600222"'
    sealed = kept["mpesa.passkey"].sealed
    assert sealed is not None
    assert new.deps.vault.unseal(sealed) == b"never-shown-passkey"


async def test_what_the_file_says_is_shown_and_not_asked(office: Office) -> None:
    assert office.deps.settings.mpesa is not None
    told = {"shortcode": "600111", "passkey": "x"}
    fixed = Fixed((("controller.toml", {"mpesa": told}),))
    office = replace(office, deps=replace(office.deps, choices=Choices(fixed)))
    async with at_desk(office) as client:
        page = (await client.get("/noc/setup/mpesa")).text

    assert 'name="shortcode"' not in page
    assert 'name="passkey"' not in page
    assert page.count("set in controller.toml") == 2
    assert 'name="consumer_key"' in page


@pytest.fixture
async def with_passkeys(new: Office) -> Office:
    """The same at a name, where one has two passkeys, one has one, and one who left has one."""
    http = HttpSettings(public_url="https://pay.example.co.ke")
    settings = new.deps.settings.model_copy(update={"http": http})
    new = replace(new, deps=replace(new.deps, settings=settings))
    for name, passkeys, left in (("wanjiru", 2, None), ("otieno", 1, None), ("pendo", 1, NOON)):
        who = await a_member(new, Role.OWNER, login=f"{name}@example.co.ke")
        async with new.deps.db.begin() as tx:
            (await tx.get_one(StaffRow, who.id)).disabled_at = left
        await new.keep(*(a_passkey(f"{name}-{n}", who.id) for n in range(passkeys)))
    return new


async def test_another_name_ends_passkeys_and_is_kept_only_when_that_was_said(
    with_passkeys: Office,
) -> None:
    to = {"public_url": "https://net.example.co.ke"}
    async with at_desk(with_passkeys) as client:
        before = await client.get("/noc/setup/address")
        asked = await client.post("/noc/setup/address", data=to)
        wrong = await client.post(
            "/noc/setup/address", data={**to, "sure": "https://pay.example.co.ke"}
        )
        kept_meanwhile = await kept(with_passkeys)
        done = await client.post(
            "/noc/setup/address", data={**to, "sure": "https://net.example.co.ke"}
        )

    assert "Passkeys of 2 of the staff are for pay.example.co.ke" in before.text
    assert (asked.status_code, wrong.status_code, kept_meanwhile) == (422, 422, {})
    assert "Passkeys of 2 of the staff are for" in asked.text
    assert "sign in by password and the code of their app" in asked.text
    assert 'name="sure" value="https://net.example.co.ke"' in asked.text
    assert done.status_code == 303
    assert await kept(with_passkeys) == {"http.public_url": '"https://net.example.co.ke"'}


async def test_that_passkeys_end_is_said_in_swahili(with_passkeys: Office) -> None:
    swahili = {"Cookie": f"{preferences.COOKIE}={Preferences(language='sw').written()}"}
    async with at_desk(with_passkeys) as client:
        to = {"public_url": "https://net.example.co.ke"}
        asked = await client.post("/noc/setup/address", data=to, headers=swahili)

    assert "Funguo za siri za wafanyakazi 2 ni za pay.example.co.ke" in asked.text
    assert "Passkeys" not in asked.text


@pytest.mark.parametrize(
    "url",
    ["https://pay.example.co.ke/", "https://PAY.example.co.ke", "https://pay.example.co.ke:8443"],
)
async def test_the_same_name_keeps_passkeys_and_is_not_asked_about(
    with_passkeys: Office, url: str
) -> None:
    async with at_desk(with_passkeys) as client:
        done = await client.post("/noc/setup/address", data={"public_url": url})

    assert done.status_code == 303


async def test_nobody_is_asked_about_passkeys_that_nobody_has(new: Office) -> None:
    async with at_desk(new) as client:
        page = await client.get("/noc/setup/address")
        to = {"public_url": "https://net.example.co.ke"}
        done = await client.post("/noc/setup/address", data=to)

    assert "passkey" not in page.text
    assert done.status_code == 303


async def test_to_forget_the_name_ends_passkeys_too(with_passkeys: Office) -> None:
    async with with_passkeys.deps.db.begin() as tx:
        await chosen.put(tx, "http.public_url", value='"https://pay.example.co.ke"', now=NOON)
    async with at_desk(with_passkeys) as client:
        page = await client.get("/noc/setup/address")
        await client.post("/noc/setup/address/forget")
        kept_meanwhile = await kept(with_passkeys)
        await client.post("/noc/setup/address/forget", data={"sure": "pay.example.co.ke"})

    assert 'pattern="pay.example.co.ke"' in page.text
    assert list(kept_meanwhile) == ["http.public_url"]
    assert await kept(with_passkeys) == {}


async def kept(office: Office) -> dict[str, str | None]:
    async with office.deps.db.read() as tx:
        return {row.name: row.value for row in await chosen.every(tx)}


def a_passkey(name: str, staff_id: str) -> StaffPasskeyRow:
    return StaffPasskeyRow(
        id=name.ljust(64, "0"), staff_id=staff_id, credential_id=name.encode(), public_key=b"x",
        sign_count=0, name=name, created_at=NOON, used_at=None,
    )  # fmt: skip


async def test_a_shilling_is_seen_hop_by_hop_and_ends_in_the_wallet(office: Office) -> None:
    gateway: MemoryGateway = office.deps.gateway  # type: ignore[assignment]
    async with at_desk(office) as client:
        answer = await client.post("/noc/setup/mpesa/test", data={"phone": "0712 345 678"})
        await pushed(gateway)
        asked = await told_after(client, answer)
        assert stands_in(asked) == ["good", "good", "now", "waiting", "waiting", "waiting"]
        office.clock.forward(seconds=3)
        push = gateway.pushes[0]
        name = next(iter(gateway.asked))
        gateway.pay(name, office.clock())
        body = gateway.callback(name)
        await take_callback(
            office.deps, token=token_in(push.callback_url), body=body, source="test"
        )
        paid = (await client.get("/noc/setup/mpesa?seen=anew")).text

    assert push.amount.minor == 100
    assert stands_in(paid) == ["good"] * 6
    assert "in the payer&#39;s wallet" in paid
    assert (await stands(office))[StepName.MPESA] is Stand.DONE


def stands_in(page: str) -> list[str]:
    hops = page.partition('<ol class="hops">')[2]
    return re.findall(r'<li data-stand="(\w+)"', hops)


async def pushed(gateway: MemoryGateway) -> None:
    """Until what was set off has asked."""
    await asyncio.gather(*first_shilling.UNDER_WAY)
    assert len(gateway.pushes) == 1


async def test_a_payer_who_cancels_is_told_what_to_do(office: Office) -> None:
    gateway: MemoryGateway = office.deps.gateway  # type: ignore[assignment]
    async with at_desk(office) as client:
        await client.post("/noc/setup/mpesa/test", data={"phone": "0712345678"})
        await pushed(gateway)
        name = next(iter(gateway.asked))
        gateway.refuse(name)
        token = token_in(gateway.pushes[0].callback_url)
        await take_callback(office.deps, token=token, body=gateway.callback(name), source="test")
        page = (await client.get("/noc/setup/mpesa")).text

    assert stands_in(page)[:4] == ["good", "good", "bad", "good"]
    assert "The prompt was cancelled on the phone" in page
    assert (await stands(office))[StepName.MPESA] is Stand.BEGUN


async def test_a_shilling_wants_an_account_and_a_phone(new: Office, office: Office) -> None:
    async with at_desk(office) as client:
        answer = await client.post("/noc/setup/mpesa/test", data={"phone": "12"})
        assert "Phone" in await told_after(client, answer)
    bare = replace(new, deps=replace(new.deps, gateway=AbsentGateway()))
    async with at_desk(bare) as client:
        answer = await client.post("/noc/setup/mpesa/test", data={"phone": "0712345678"})
        assert "keep the keys first" in await told_after(client, answer)


async def test_a_message_is_watched_until_the_carrier_has_it(office: Office) -> None:
    async with at_desk(office) as client:
        answer = await client.post("/noc/setup/sms/test", data={"phone": "0712345678"})
        assert answer.status_code == 303
        await send_due(office.deps)
        page = (await client.get("/noc/setup/sms")).text

    assert "Taken by the carrier" in page
    assert "No report yet" in page
    assert (await stands(office))[StepName.SMS] is Stand.DONE


async def test_who_sells_is_kept_whole_or_not_at_all(office: Office) -> None:
    async with at_desk(office) as client:
        wrong = {**BUSINESS, "kra_pin": "", "name": " ", "support_phone": "x", "languages": "fr"}
        refused = await client.post("/noc/setup/business", data=wrong)
        answer = await client.post("/noc/setup/business", data=BUSINESS)
        page = await told_after(client, answer)
    async with office.deps.db.read() as tx:
        row = await operators.operator(tx)

    assert refused.status_code == 422
    assert refused.text.count('class="field wrong"') == 4
    assert (row.name, row.vat_registered, row.excise_registered) == ("Mtaa Net", True, False)
    assert (row.support_phone, row.languages) == ("+254712345678", "sw,en")
    assert "Mtaa Net" in page


async def test_a_logo_is_sent_as_a_file(office: Office) -> None:
    async with at_desk(office) as client:
        said = []
        for files in (
            {"logo": ("../../x.png", PIXEL, "image/png")},
            {"logo": ("x.png", b"<svg>")},
            {"other": ("x.png", PIXEL)},
        ):
            answer = await client.post("/noc/setup/business/logo", files=files)
            said.append(await told_after(client, answer))
    async with office.deps.db.read() as tx:
        row = await operators.operator(tx)

    assert "The logo is kept." in said[0]
    assert row.logo == PIXEL
    assert ["flash bad" in page for page in said] == [False, True, True]


async def test_plans_of_a_template_are_sold_at_the_prices_typed(office: Office) -> None:
    prices = {"estate-40min": "7", "estate-2h": "x", "estate-day": "1.50", "estate-week": ""}
    async with at_desk(office) as client:
        refused = await client.post("/noc/setup/plans", data={"template": "estate", **prices})
        async with office.deps.db.read() as tx:
            assert await plans.load(tx, "estate-40min") is None
        prices |= {"estate-2h": "12", "estate-day": ""}
        answer = await client.post("/noc/setup/plans", data={"template": "estate", **prices})
        twice = await client.post("/noc/setup/plans", data={"template": "estate", **prices})
        other = {"template": "estate", "estate-40min": "9"}
        differs = await client.post("/noc/setup/plans", data=other)
    async with office.deps.db.read() as tx:
        kept = {name: await plans.load(tx, name) for name in ("estate-40min", "estate-week")}

    assert refused.status_code == 422
    assert 'aria-describedby="why-estate-2h"' in refused.text
    assert (answer.status_code, twice.status_code, differs.status_code) == (303, 303, 422)
    assert kept["estate-week"] is None
    assert kept["estate-40min"] is not None
    assert kept["estate-40min"].price_minor == 700


async def test_the_recovery_key_is_shown_once_and_shown_to_be_kept(office: Office) -> None:
    deps = office.deps
    async with at_desk(office) as client:
        shown = (await client.post("/noc/setup/backups/key")).text
        found = re.search(r"AGE-SECRET-KEY-1[A-Z0-9]+", shown)
        assert found is not None
        later = (await client.get("/noc/setup/backups")).text
        wrong = await client.post("/noc/setup/backups/confirm", data={"ending": "AAAAAA"})
        said = [await told_after(client, wrong)]
        await backup_due(deps)
        assert (await stands(office))[StepName.BACKUPS] is Stand.BEGUN
        ending = found[0][-6:].lower()
        right = await client.post("/noc/setup/backups/confirm", data={"ending": ending})
        said.append(await told_after(client, right))
        again = await client.post("/noc/setup/backups/key")

    assert recipient_of(deps.settings.state_dir).startswith("age1")
    assert "AGE-SECRET" not in later
    assert "these are not its last 6 letters" in said[0]
    assert "Well kept" in said[1]
    assert again.status_code == 303, "a key that is kept is not made anew"
    assert (await stands(office))[StepName.BACKUPS] is Stand.DONE


async def test_a_key_that_could_not_be_kept_leaves_the_one_before_to_be_confirmed(
    office: Office,
) -> None:
    deps = office.deps
    await recovery_key.make(deps)
    before = recipient_of(deps.settings.state_dir)
    in_its_way = deps.settings.state_dir / f"{RECIPIENT_FILE}.new"
    in_its_way.mkdir()
    with pytest.raises(InvalidField, match="could not be kept"):
        await recovery_key.make(deps)
    with pytest.raises(InvalidField, match="use another key"):
        await recovery_key.confirm(deps, "AAAAAA")
    in_its_way.rmdir()
    assert (await stands(office))[StepName.BACKUPS] is Stand.BEGUN
    await recovery_key.make(deps)

    assert before != recipient_of(deps.settings.state_dir)


async def test_a_step_may_wait_and_be_taken_up_again(new: Office) -> None:
    async with at_desk(new) as client:
        await client.post("/noc/setup/aside", data={"step": "sms", "aside": "1"})
        aside = await stands(new)
        await client.post("/noc/setup/aside", data={"step": "sms", "aside": ""})
        never = await client.post("/noc/setup/aside", data={"step": "backups", "aside": "1"})
        said = await told_after(client, never)

    assert aside[StepName.SMS] is Stand.ASIDE
    assert (await stands(new))[StepName.SMS] is Stand.OPEN
    assert "want one of" in said


async def test_the_checklist_stands_on_the_overview_of_who_can_end_it(office: Office) -> None:
    await office.keep(a_site())
    async with at_desk(office) as client:
        page = (await client.get("/noc")).text
    async with at_desk(office, Role.SUPPORT) as client:
        other = (await client.get("/noc")).text

    assert page.count("<li data-stand=") == 8
    assert '<li data-stand="done"><a href="/noc/setup/site">' in page
    assert "data-stand" not in other
