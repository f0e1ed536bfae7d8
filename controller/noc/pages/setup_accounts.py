"""The steps of the set-up that choose settings: our address, M-PESA with its shilling, SMS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from controller.api.needs import Needed  # noqa: TC001 - as above
from controller.choices import is_secret
from controller.config import ConfigFaults
from controller.noc import live, money_views, setup_board
from controller.noc.page import preferences_of
from controller.noc.pages import held
from controller.noc.setup_board import Entry, Hop
from controller.noc.words import word
from controller.rights import Right
from controller.store import chosen, operators, setup_facts
from controller.usecases import choosing, factors, first_shilling, first_sms, reached

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.config import Settings
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SmsRow
    from controller.usecases.factors import Bound
    from controller.usecases.reached import Look

PRODUCTION = "https://api.safaricom.co.ke"
SANDBOX = "https://sandbox.safaricom.co.ke"
SMS_PRODUCTION = "https://api.africastalking.com"
SMS_SANDBOX = "https://api.sandbox.africastalking.com"
SANDBOX_USER = "sandbox"
"""Africa's Talking has one user of this name, and another address for it."""

ADDRESS_KEYS = {"public_url": "http.public_url"}
MPESA_KEYS = {
    "environment": "mpesa.base_url",
    "shortcode": "mpesa.shortcode",
    "till": "mpesa.till",
    "consumer_key": "mpesa.consumer_key",
    "consumer_secret": "mpesa.consumer_secret",
    "passkey": "mpesa.passkey",
}
SMS_KEYS = {
    "carrier": "sms.base_url",
    "username": "sms.username",
    "api_key": "sms.api_key",
    "sender_id": "sms.sender_id",
}
MAY_BE_EMPTY = frozenset(("till", "sender_id"))
SETUP = word("Set-up")
KEPT = word("Kept. The controller takes it over within seconds.")


@dataclass(frozen=True, slots=True)
class Form:
    """A form of settings; ``others`` are faults that belong to none of its fields."""

    entries: Mapping[str, Entry]
    options: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    is_kept: bool = False
    """Whether there is anything that could be forgotten here."""
    passkeys: Bound | None = None
    """Of the address: those that end when it gets another name."""
    sure: str = ""
    """The address that would end them: it is kept only when this is sent along with it."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was sent: of which step, with which fields, and what was typed."""

    step: str
    keys: Mapping[str, str]
    form: Form
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Account:
    """A step: its form, and what is live beside it."""

    now: datetime
    form: Form
    is_told: bool
    """Whether this controller has what the step tells it."""
    is_taken_over: bool
    phone: str
    look: Look | None = None
    hops: tuple[Hop, ...] = ()
    message: SmsRow | None = None
    public_url: str = ""
    on_this_machine: bool = False


async def look_at_address(asked: live.Asked) -> Account:
    """Our public address, and what was seen there."""
    held.must_be_of_all(asked.who)
    deps = asked.deps
    async with deps.db.read() as tx:
        seen = await reached.last_look(tx)
    url = deps.settings.public_url
    return Account(
        now=asked.now,
        form=await _address_form(deps),
        is_told=deps.settings.http.public_url is not None,
        is_taken_over=await choosing.is_taken_over(deps),
        phone="",
        look=seen if seen is not None and seen.url == url else None,
        public_url=url,
        on_this_machine=reached.is_this_machine(url),
    )


async def look_at_mpesa(asked: live.Asked) -> Account:
    """The account with Safaricom, and the last shilling, hop by hop."""
    held.must_be_of_all(asked.who)
    deps = asked.deps
    async with deps.db.read() as tx:
        notes = await chosen.notes(tx)
        order_id = first_shilling.order_of(notes)
        story = await money_views.story(tx, order_id, branches=None) if order_id else None
        phone = await _owners_phone(tx)
    at = first_shilling.answered_at(notes)
    return Account(
        now=asked.now,
        form=await _mpesa_form(deps),
        is_told=deps.settings.mpesa is not None,
        is_taken_over=await choosing.is_taken_over(deps),
        phone=phone if story is None or story.order is None else f"0{story.order.msisdn[3:]}",
        hops=()
        if story is None or story.order is None
        else setup_board.hops(story, answered_at=at, now=asked.now),
        public_url=deps.settings.public_url,
    )


async def look_at_sms(asked: live.Asked) -> Account:
    """The account with the carrier, and the last test message."""
    held.must_be_of_all(asked.who)
    deps = asked.deps
    async with deps.db.read() as tx:
        notes = await chosen.notes(tx)
        message = await setup_facts.message(tx, first_sms.about_of(notes))
        phone = await _owners_phone(tx)
    return Account(
        now=asked.now,
        form=await _sms_form(deps),
        is_told=deps.settings.sms is not None,
        is_taken_over=await choosing.is_taken_over(deps),
        phone=phone if message is None else f"0{message.msisdn[3:]}",
        message=message,
    )


async def _owners_phone(tx: Tx) -> str:
    return (await operators.operator(tx)).support_phone or ""


async def _address_form(deps: Deps) -> Form:
    told = await choosing.to_be(deps)
    entry = _entry(deps, "public_url", ADDRESS_KEYS, told.http.public_url or "")
    passkeys = await factors.bound(deps)
    return Form({"public_url": entry}, is_kept="http.public_url" in told.chosen, passkeys=passkeys)


async def _mpesa_form(deps: Deps) -> Form:
    settings = await choosing.to_be(deps)
    told = settings.mpesa
    values = {
        "environment": _environment(deps, PRODUCTION if told is None else told.base_url),
        "shortcode": "" if told is None else told.shortcode,
        "till": "" if told is None else told.till or "",
        "consumer_key": "" if told is None else told.consumer_key,
    }
    if told is None and deps.settings.simulated.mpesa:
        values["environment"] = "simulated"
    entries = {
        name: _entry(deps, name, MPESA_KEYS, values.get(name, ""), is_kept=told is not None)
        for name in MPESA_KEYS
    }
    return Form(entries, _environments(deps), is_kept=_has_chosen(settings, "mpesa"))


async def _sms_form(deps: Deps) -> Form:
    settings = await choosing.to_be(deps)
    told = settings.sms
    values = {
        "carrier": "africas_talking",
        "username": "" if told is None else told.username or "",
        "sender_id": "" if told is None else told.sender_id,
    }
    simulated = deps.settings.simulated.sms
    if simulated and (told is None or told.base_url == simulated):
        values["carrier"] = "simulated"
    entries = {
        name: _entry(deps, name, SMS_KEYS, values.get(name, ""), is_kept=told is not None)
        for name in SMS_KEYS
    }
    return Form(entries, _carriers(deps), is_kept=_has_chosen(settings, "sms"))


def _has_chosen(settings: Settings, section: str) -> bool:
    return any(key.startswith(f"{section}.") for key in settings.chosen)


def _entry(
    deps: Deps, name: str, keys: Mapping[str, str], value: str, *, is_kept: bool = False
) -> Entry:
    key = keys[name]
    return Entry(
        name,
        "" if is_secret(key) else value,
        deps.choices.fixed.by(key),
        is_kept=is_kept and is_secret(key),
    )


def _environments(deps: Deps) -> tuple[str, ...]:
    real = ("production", "sandbox")
    return ("simulated", *real) if deps.settings.simulated.mpesa else real


def _carriers(deps: Deps) -> tuple[str, ...]:
    real = ("africas_talking",)
    return ("simulated", *real) if deps.settings.simulated.sms else real


def _environment(deps: Deps, url: str) -> str:
    known = {
        PRODUCTION: "production",
        SANDBOX: "sandbox",
        deps.settings.simulated.mpesa: "simulated",
    }
    return known.get(url.rstrip("/"), url)


ADDRESS = live.View(
    name=word("Set-up: address"), path="/noc/setup/address", right=Right.RUN_SYSTEM,
    look=look_at_address, template="setup/address.html", panels=("setup/reached.html",),
)  # fmt: skip
MPESA = live.View(
    name=word("Set-up: M-PESA"), path="/noc/setup/mpesa", right=Right.RUN_SYSTEM,
    look=look_at_mpesa, template="setup/mpesa.html", panels=("setup/hops.html",), every_s=1.0,
)  # fmt: skip
SMS = live.View(
    name=word("Set-up: SMS"), path="/noc/setup/sms", right=Right.RUN_SYSTEM,
    look=look_at_sms, template="setup/sms.html", panels=("setup/message.html",), every_s=1.0,
)  # fmt: skip

router = live.pages(ADDRESS, MPESA, SMS)


@router.post("/noc/setup/address", response_model=None)
async def keep_address(request: Request, deps: Needed) -> Response:
    """Keep our public address, and look whether it leads here."""
    sent = await _sent(request)
    wanted = {"http.public_url": sent.get("public_url", "").rstrip("/") or None}
    form = await _address_form(deps)
    filled = Filled("address", ADDRESS_KEYS, form, sent)
    sure = wanted["http.public_url"] or ""
    if sent.get(held.SURE) != sure and await _ended_by(deps, wanted) is not None:
        return _again(request, replace(filled, form=replace(form, sure=sure)), ())
    refused = await _chosen(request, deps, wanted, filled)
    if refused is not None:
        return refused
    if wanted["http.public_url"] is not None:
        await reached.look(deps, wanted["http.public_url"])
    return live.back(request, "/noc/setup/address", said=live.words_of(request)(KEPT))


@router.post("/noc/setup/address/look", response_model=None)
async def look_again(request: Request, deps: Needed) -> Response:
    """Look once more whether our public address leads here."""
    await _sent(request)
    await reached.look(deps, deps.settings.public_url)
    return live.back(request, "/noc/setup/address")


@router.post("/noc/setup/mpesa", response_model=None)
async def keep_mpesa(request: Request, deps: Needed) -> Response:
    """Keep the account with Safaricom; a secret that is left empty stays as it was."""
    sent = await _sent(request)
    wanted = _wanted(deps, sent, MPESA_KEYS)
    places = {
        "production": PRODUCTION,
        "sandbox": SANDBOX,
        "simulated": deps.settings.simulated.mpesa,
    }
    if "mpesa.base_url" in wanted:
        wanted["mpesa.base_url"] = places.get(sent.get("environment", "")) or "?"
    form = await _mpesa_form(deps)
    refused = await _chosen(request, deps, wanted, Filled("mpesa", MPESA_KEYS, form, sent))
    if refused is not None:
        return refused
    return live.back(request, "/noc/setup/mpesa", said=live.words_of(request)(KEPT))


@router.post("/noc/setup/mpesa/test", response_model=None)
async def shilling(request: Request, deps: Needed) -> Response:
    """Ask a phone for one shilling."""
    sent = await _sent(request)
    said = live.words_of(request)("The phone is asked. Watch each hop below.")
    deed = first_shilling.begin(deps, sent.get("phone", ""))
    return await live.tried(request, "/noc/setup/mpesa", deed, said=said)


@router.post("/noc/setup/sms", response_model=None)
async def keep_sms(request: Request, deps: Needed) -> Response:
    """Keep the account with the carrier; a secret that is left empty stays as it was."""
    sent = await _sent(request)
    wanted = _wanted(deps, sent, SMS_KEYS)
    if "sms.base_url" in wanted:
        sandbox = sent.get("username", "") == SANDBOX_USER
        real = SMS_SANDBOX if sandbox else SMS_PRODUCTION
        simulated = sent.get("carrier") == "simulated" and deps.settings.simulated.sms
        wanted["sms.base_url"] = simulated or real
    form = await _sms_form(deps)
    refused = await _chosen(request, deps, wanted, Filled("sms", SMS_KEYS, form, sent))
    if refused is not None:
        return refused
    return live.back(request, "/noc/setup/sms", said=live.words_of(request)(KEPT))


@router.post("/noc/setup/sms/test", response_model=None)
async def message(request: Request, deps: Needed) -> Response:
    """Send a message to a phone."""
    sent = await _sent(request)
    async with deps.db.read() as tx:
        name = (await operators.operator(tx)).name
    deed = first_sms.begin(
        deps, sent.get("phone", ""), name=name, language=preferences_of(request).language
    )
    said = live.words_of(request)("It is on its way. Watch it below.")
    return await live.tried(request, "/noc/setup/sms", deed, said=said)


@router.post("/noc/setup/{section}/forget", response_model=None)
async def forget(section: str, request: Request, deps: Needed) -> Response:
    """Forget what was chosen in a step."""
    sent = await _sent(request)
    keys = {"address": ADDRESS_KEYS, "mpesa": MPESA_KEYS, "sms": SMS_KEYS}.get(section)
    if keys is None:
        raise InvalidField("section", "want address, mpesa or sms")
    passkeys = await _ended_by(deps, dict.fromkeys(keys.values()))
    if passkeys is not None and sent.get(held.SURE) != passkeys.name:
        said = live.words_of(request)("Type {word} to go on", word=passkeys.name)
        return live.back(request, f"/noc/setup/{section}", said=said, tone="bad")
    said = live.words_of(request)("It is forgotten.")
    deed = choosing.choose(deps, dict.fromkeys(keys.values()))
    return await live.tried(request, f"/noc/setup/{section}", deed, said=said)


async def _sent(request: Request) -> dict[str, str]:
    held.must_be_of_all(await live.acts(request, Right.RUN_SYSTEM))
    return await live.fields(request)


async def _ended_by(deps: Deps, wanted: Mapping[str, str | None]) -> Bound | None:
    """The passkeys that would end, were this chosen; None for what is not kept anyway."""
    passkeys = await factors.bound(deps)
    if passkeys is None:
        return None
    try:
        name = factors.name_at((await choosing.would_be(deps, wanted)).public_url)
    except ConfigFaults:
        return None
    return None if name == passkeys.name else passkeys


def _wanted(deps: Deps, sent: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str | None]:
    """What a form asks for: nothing of what is fixed, and no secret that was left empty."""
    wanted: dict[str, str | None] = {}
    for name, key in keys.items():
        value = sent.get(name, "")
        if deps.choices.fixed.by(key) or (is_secret(key) and not value):
            continue
        wanted[key] = None if name in MAY_BE_EMPTY and not value else value
    return wanted


async def _chosen(
    request: Request, deps: Deps, wanted: Mapping[str, str | None], filled: Filled
) -> Response | None:
    """Choose; None when that was done, else the form again with every fault at its field."""
    try:
        choosing.refuse_fixed(deps, wanted)
        await choosing.choose(deps, wanted)
    except ConfigFaults as refused:
        return _again(request, filled, refused.faults)
    return None


def _again(request: Request, filled: Filled, faults: tuple[str, ...]) -> Response:
    form, keys = filled.form, filled.keys
    typed = [
        replace(one, value=filled.sent.get(one.name, ""))
        if not one.fixed_by and not is_secret(keys[one.name])
        else one
        for one in form.entries.values()
    ]
    entries, others = setup_board.told_by(typed, faults, keys)
    shown = replace(form, entries=entries, others=others)
    page = live.shown_once(
        request, request.state.who, SETUP, "setup/again.html", form=shown, step=filled.step
    )
    page.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return page
