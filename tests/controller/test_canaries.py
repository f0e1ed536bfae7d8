"""Secrets are strings that sing when they get out: none is heard in a log, an error, or the books.

Each secret of the controller is a canary here. Everything that may go wrong with the providers goes
wrong, over real HTTP; then the log, the database's own bytes, and what is printed of the settings
are searched.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import select

from billing.ids import OrderId
from billing.money import Money
from billing.payment import Evidence
from controller import acting
from controller.acting import Actor
from controller.api.auth import BROWSER_COOKIE, COOKIE
from controller.backup import keys
from controller.backup.archive import unpack
from controller.backup.create import create
from controller.choices import opened
from controller.config import ConfigFaults, Fixed, load_settings, settled
from controller.noc.pages.sign_in import STEP_COOKIE
from controller.notify.africas_talking import AfricasTalkingSms
from controller.notify.africas_talking_wire import AfricasTalkingSettings
from controller.payments.gateway import Outcome, StoredCard
from controller.rails import open_rails
from controller.rights import Role
from controller.sandbox.airtel.app import build_app as build_airtel
from controller.sandbox.daraja.app import build_app as build_mpesa
from controller.sandbox.daraja.settings import SimSettings
from controller.sandbox.paystack.app import build_app as build_cards
from controller.store import chosen
from controller.store.audit_rows import AuditRow
from controller.store.payment_rows import MandateRow
from controller.store.rows import PaymentRow
from controller.usecases import staff
from controller.usecases.account_payments import AccountPayment, pay_account
from controller.usecases.audit import seal_due
from controller.usecases.cards import learn_card_in
from controller.usecases.choosing import choose, to_be
from controller.usecases.messages import send_due
from controller.usecases.paybill import balance_due, pull_due, register_due
from controller.usecases.phone_codes import send_code
from controller.usecases.settle import query_due
from tests.support import logs
from tests.support.airtel import sim_settings as airtel_settings
from tests.support.builders import PHONE, SITE, a_world, hex_id, with_site
from tests.support.certificates import rsa_keys
from tests.support.charges import ANNE, a_subscriber
from tests.support.daraja import served
from tests.support.desk import at_desk
from tests.support.office import an_office
from tests.support.paystack import sim_settings as card_settings
from tests.support.staff import KEY, PASSWORD, an_owner, browser

if TYPE_CHECKING:
    import io
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from controller.deps import Deps
    from controller.store.database import Database

NAMES = (
    "consumer-secret",
    "passkey",
    "initiator",
    "airtel-secret",
    "card-secret",
    "bank-password",
    "sms-key",
    "mail-password",
    "card-token",
    "chosen-secret",
    "chosen-passkey",
    "chosen-sms-key",
)
CANARIES = {name: f"Canary-{name}-7f3a9" for name in NAMES}
FAULTS: tuple[dict[str, bool] | None, ...] = (
    None,
    {},
    {"push_html_502": True},
    {"token_wrong": True},
    {"push_refused": True},
    {"token_fails": True},
)
STAFF = Actor("s1", "Jane", "10.0.0.7", "POST /x", "r", datetime(2026, 11, 23, tzinfo=UTC))
NOWHERE = "http://127.0.0.1:9"
"""A port at which nobody listens."""


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the controller logs; the logging of the test run is put back afterwards."""
    with logs.set_up() as out:
        logging.getLogger().setLevel(logging.DEBUG)
        yield out


def told(folder: Path, *, mpesa: str, airtel: str, card: str) -> dict[str, Any]:
    """The settings of a controller with every account, all of whose secrets are canaries."""
    keys = rsa_keys()
    return {
        "state_dir": str(folder),
        "http": {"public_url": "http://127.0.0.1:8080"},
        "mpesa": {
            "base_url": mpesa,
            "shortcode": "600111",
            "consumer_key": "trial-key",
            "consumer_secret": CANARIES["consumer-secret"],
            "passkey": CANARIES["passkey"],
            "initiator": "trialapi",
            "initiator_password": CANARIES["initiator"],
            "certificate": keys.certificate,
            "nominated_number": PHONE,
            "c2b": True,
        },
        "airtel": {
            "base_url": airtel,
            "client_id": "simulated-id",
            "client_secret": CANARIES["airtel-secret"],
            "merchant": "LANGO",
        },
        "card": {
            "base_url": card,
            "secret_key": CANARIES["card-secret"],
            "merchant": "LANGO",
        },
        "bank": {
            "bank": "jenga",
            "account": "0100",
            "user": "lango",
            "password": CANARIES["bank-password"],
        },
        "sms": {"base_url": NOWHERE, "username": "lango", "api_key": CANARIES["sms-key"]},
        "email": {
            "host": "127.0.0.1",
            "security": "none",
            "username": "lango",
            "password": CANARIES["mail-password"],
            "sender": "bills@example.test",
        },
    }


def wall_clock() -> datetime:
    """The simulators' clock."""
    return datetime.now(UTC)


def heard(text: str | bytes) -> list[str]:
    """The canaries that can be heard in a text, plainly or in base64."""
    raw = text.encode() if isinstance(text, str) else text
    found = []
    for name, canary in CANARIES.items():
        plain = canary.encode()
        # Whatever stands before it, one of three alignments shows its middle.
        coded = [base64.b64encode(b"x" * n + plain)[4:-4] for n in range(3)]
        if plain in raw or any(one in raw for one in coded):
            found.append(name)
    return found


def books_of(folder: Path) -> bytes:
    """All that the database and its log have on disk."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.db*")))


async def everything_goes_wrong(deps: Deps, *, name: str) -> None:
    """Ask every provider for something; what they do is the world's affair."""
    await register_due(deps)
    await pull_due(deps)
    await balance_due(deps)
    for rail in ("mpesa", "airtel", "card"):
        wish = AccountPayment(OrderId(hex_id(f"{name}{rail}")), ANNE, Money(10_000), rail=rail)
        await pay_account(deps, wish)
    await query_due(deps)
    await send_code(deps, SITE, PHONE)
    await send_due(deps)


def sim_canaries() -> SimSettings:
    """A simulated M-PESA that knows the canaries, so that some calls do well."""
    return SimSettings(
        consumer_secret=CANARIES["consumer-secret"],
        passkey=CANARIES["passkey"],
        initiator_password=CANARIES["initiator"],
        prompt_life_s=1,
        working_ms=0,
    )


async def test_no_secret_is_heard_whatever_the_providers_do(
    sqlite_db: Database, tmp_path: Path, log: io.StringIO
) -> None:
    airtel = replace(airtel_settings(), client_secret=CANARIES["airtel-secret"])
    card = replace(card_settings(), secret_key=CANARIES["card-secret"])
    async with (
        served(build_mpesa(sim_canaries(), now=wall_clock)) as mpesa_url,
        served(build_airtel(airtel, now=wall_clock)) as airtel_url,
        served(build_cards(card, now=wall_clock)) as card_url,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        world = await with_site(a_world(sqlite_db, tmp_path))
        world.clock.to(wall_clock())
        await a_subscriber(world.deps, email="anne@example.test")
        for n, faults in enumerate(FAULTS):
            places = [NOWHERE] * 3 if faults is None else [mpesa_url, airtel_url, card_url]
            if faults:
                answer = await http.post(f"{mpesa_url}/sim/faults", json=faults)
                answer.raise_for_status()
            names = ("mpesa", "airtel", "card")
            settings = load_settings(None, told(tmp_path, **dict(zip(names, places, strict=True))))
            rails = open_rails(settings, db=sqlite_db, vault=world.deps.vault, http=http)
            deps = replace(
                world.deps,
                settings=settings,
                gateway=rails.gateway,
                more_gateways=rails.more,
                mpesa=rails.mpesa,
                cards=rails.cards,
                sms=AfricasTalkingSms(
                    AfricasTalkingSettings(
                        base_url=NOWHERE,
                        username="lango",
                        api_key=CANARIES["sms-key"],
                        sender_id="",
                    ),
                    http=http,
                ),
            )
            world.clock.advance(50_000)
            with acting.acting(replace(STAFF, at=deps.now())):
                await everything_goes_wrong(deps, name=str(n))
            assert heard(repr(deps)) == []
            assert heard(repr(settings)) == []
        with acting.acting(replace(STAFF, at=deps.now())):
            await keep_a_card(deps)
        await seal_due(deps)
        changes = await audited(sqlite_db)

    assert len(changes) > len(FAULTS), "nothing was audited, nothing was tried"
    assert heard("".join(changes)) == []
    assert len(log.getvalue().splitlines()) > len(FAULTS), "nothing was logged, nothing was tried"
    assert heard(log.getvalue()) == []
    assert heard(books_of(tmp_path)) == []


async def test_secrets_that_are_chosen_on_screen_are_heard_nowhere(
    sqlite_db: Database, tmp_path: Path, log: io.StringIO
) -> None:
    office = an_office(tmp_path, sqlite_db)
    mpesa = {
        "environment": "production",
        "shortcode": "600111",
        "consumer_key": "key",
        "consumer_secret": CANARIES["chosen-secret"],
        "passkey": CANARIES["chosen-passkey"],
    }
    sms = {"username": "lango", "api_key": CANARIES["chosen-sms-key"]}
    shown = []
    async with at_desk(office) as client, acting_at(office.deps):
        await choose(office.deps, {"http.public_url": "https://pay.example.co.ke"})
        for path, sent in (
            ("mpesa", {**mpesa, "shortcode": CANARIES["chosen-secret"][:5]}),
            ("mpesa", mpesa),
            ("mpesa", {**mpesa, "till": "x"}),
            ("sms", {**sms, "sender_id": "not a sender"}),
            ("sms", sms),
        ):
            answer = await client.post(f"/noc/setup/{path}", data=sent)
            shown += [answer.text, str(answer.headers)]
            shown.append((await client.get(f"/noc/setup/{path}")).text)
        shown.append((await client.get("/noc/audit")).text)
    settings = await to_be(office.deps)
    keys.make_recovery_key(tmp_path)
    on_sqlite = {"database": {"url": str(sqlite_db.engine.url)}, "state_dir": str(tmp_path)}
    fixed = Fixed((("controller.toml", on_sqlite),))
    async with sqlite_db.read() as tx:
        told = opened(await chosen.every(tx), office.deps.vault)
    made = await asyncio.to_thread(create, settled(fixed, told), office.deps.now())
    bare = tmp_path / "bare"
    bare.mkdir()
    unpack(made.path, keys.trial_identity(tmp_path), bare)
    opened_backup = b"".join(path.read_bytes() for path in bare.iterdir() if path.is_file())

    assert settings.mpesa is not None
    assert settings.mpesa.passkey.get_secret_value() == CANARIES["chosen-passkey"]
    assert settings.sms is not None
    assert heard("".join(shown)) == []
    assert heard(log.getvalue() + repr(settings)) == []
    assert heard(books_of(tmp_path)) == []
    assert heard(made.path.read_bytes() + opened_backup) == []
    assert "hidden" in "".join(await audited_changes(sqlite_db)), "nothing was kept back"


async def audited_changes(db: Database) -> list[str]:
    async with db.read() as tx:
        return list(await tx.scalars(select(AuditRow.changes)))


@asynccontextmanager
async def acting_at(deps: Deps) -> AsyncIterator[None]:
    """Whatever is done in the block, a member of staff does."""
    with acting.acting(replace(STAFF, at=deps.now())):
        yield


async def audited(db: Database) -> list[str]:
    """What the audit log tells of each deed; tokens and sealed columns are not in it."""
    async with db.read() as tx:
        found = list(await tx.scalars(select(AuditRow.changes)))
    values = "".join(found)
    assert '"hidden":["' in values, "no column was kept back, nothing was tried"
    assert '"sealed":' not in values
    assert '"callback_token_hash":' not in values
    return found


async def keep_a_card(deps: Deps) -> None:
    """A consent with a card, as a payment by card leaves it."""
    async with deps.db.begin() as tx:
        row = MandateRow(
            id=hex_id("consent"),
            subscriber_id=ANNE,
            kind="card",
            rail="card",
            state="asked",
            consent="on the page",
            consented_at=deps.now(),
            created_at=deps.now(),
        )
        tx.add(row)
        await tx.flush()
        card = StoredCard(CANARIES["card-token"], "anne@example.test", "visa …4081")
        paid = Outcome(Evidence.PAID, "order", "0", None, card=card)
        payment = PaymentRow(order_id="order", subscriber_id=ANNE, mandate_id=row.id)
        await learn_card_in(tx, deps, payment, paid, deps.now())
        assert row.sealed is not None


def test_the_ears_hear_a_canary(tmp_path: Path) -> None:
    (tmp_path / "x.db-wal").write_bytes(b"..." + CANARIES["passkey"].encode() + b"...")
    coded = base64.b64encode(b"600111" + CANARIES["passkey"].encode() + b"20260714093015")

    assert heard(books_of(tmp_path)) == ["passkey"]
    assert heard(coded) == ["passkey"]


def test_settings_that_are_refused_do_not_sing(tmp_path: Path) -> None:
    wrong = told(tmp_path, mpesa="ftp://x", airtel="ftp://y", card="ftp://z")
    wrong["mpesa"] |= {"shortcode": CANARIES["consumer-secret"], "unknown": CANARIES["passkey"]}
    wrong["bank"] |= {"account": CANARIES["bank-password"] + "!"}
    with pytest.raises(ConfigFaults) as refused:
        load_settings(None, wrong)

    assert len(refused.value.faults) > 3
    assert heard("\n".join(refused.value.faults)) == []


async def test_no_secret_of_the_staff_is_heard(
    sqlite_db: Database, tmp_path: Path, log: io.StringIO
) -> None:
    office = an_office(tmp_path, sqlite_db)
    owner = await an_owner(office)
    invited = await staff.add(office.deps, KEY, staff.NewStaff("j@isp.example", "J", Role.CASHIER))
    async with browser(office) as client:
        await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD + "x"})
        await client.post("/noc/login", data={"login": owner.login, "password": PASSWORD})
        step = client.cookies[STEP_COOKIE]
        await client.post("/noc/second", data={"code": "000000"})
        await client.post("/noc/second", data={"code": owner.codes[0]})
        form = {"name": "Grafana", "role": "read_only", "days": "90", "password": PASSWORD}
        made = await client.post("/noc/me/tokens", data=form)
        await client.post("/noc/me/password", data={"old": PASSWORD, "password": "short"})
        await client.get("/noc/me", params={"app": "new"})
        cookies = [client.cookies[name] for name in (COOKIE, BROWSER_COOKIE)]
    token = re.search(r"lango_[\w-]{43}", made.text)
    assert token is not None
    secrets = [PASSWORD, owner.secret, step, invited.token, token[0], *cookies, *owner.codes]
    places = {"log": log.getvalue().encode(), "books": books_of(tmp_path)}

    assert {
        (place, secret)
        for place, raw in places.items()
        for secret in secrets
        if secret.encode() in raw
    } == set()
    assert repr(invited).count(invited.token) == 0
