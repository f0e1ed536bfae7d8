"""Auto-pay, statement files, reconciliation and places, from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.period import day_of
from controller.payments.gateway import Trust
from controller.payments.memory import MemoryGateway
from controller.sandbox.bank.tables import write_portal
from controller.store.mandates import ACTIVE, CARD
from controller.store.payment_rows import MandateRow
from controller.usecases.arrivals import arrive
from tests.controller.cli.lango import Ran, lango_here
from tests.support.arrivals import money_seen
from tests.support.builders import SHORTCODE, hex_id
from tests.support.cards import EMAIL
from tests.support.charges import ANNE, a_subscriber
from tests.support.daraja import a_world
from tests.support.office import NOON, Office, opened
from tests.support.standing_orders import an_account
from tests.support.statements import NOON as PAID_AT
from tests.support.statements import a_till, fee, paid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Command = Callable[..., Awaitable[Ran]]

DAY = "2026-11-22"
VISA = hex_id("visa")
TODAY = day_of(NOON)
AN_ORDER = (
    *("--from", TODAY.isoformat(), "--until", (TODAY + timedelta(days=60)).isoformat()),
    *("--frequency", "weekly", "--consent", "asked for it by phone"),
)
PROFILE = (
    *("--column", "when=Date", "--column", "text=Narrative", "--column", "paid_in=In"),
    *("--column", "paid_out=Out", "--date", "%d/%m/%Y"),
)
READS = {
    f"autopay list {ANNE}": "autopay",
    "statement list": "statement-files",
    "statement profile": "statement-profiles",
    "statement profile kcb": "statement-profile",
    "reconcile list": "reconciliations",
    "difference list": "differences",
    "payment places": "places",
    f"statement {ANNE}": "statement",
    f"statement of {ANNE}": "statement",
}


@pytest.fixture
async def run(office: Office, tmp_path: Path) -> AsyncIterator[Command]:
    """The command at a desk with a rail for cards, a phone, and a statement with one difference."""
    await a_subscriber(office.deps, msisdn="254700000001", email=EMAIL)
    cards = MemoryGateway(rail="card", place="LANGO", trust=Trust.SIGNED)
    async with a_world(now=office.clock) as network:
        deps = replace(
            office.deps,
            more_gateways=(cards,),
            cards=cards,
            mpesa=an_account(network, "http://127.0.0.1:9"),
        )
        async with opened(replace(office, deps=deps)) as url:

            async def at_it(*words: str) -> Ran:
                return await lango_here("--url", url, "--key", office.key, *words)

            (tmp_path / "portal.csv").write_bytes(
                write_portal(a_till(paid("UGE5L8M3RZ"), fee("UGE5L8M3RZ")))
            )
            yield at_it


@pytest.fixture
async def desk(run: Command, office: Office, tmp_path: Path) -> Command:
    """The same after a day's work: something in every list."""
    await arrive(office.deps, money_seen("UGE5L8M3ZZ", shillings=70, at=PAID_AT))
    done = [
        await run("statement", "import", str(tmp_path / "portal.csv")),
        await run("statement", "profile", "kcb", *PROFILE),
        await run("reconcile", "run", "mpesa", SHORTCODE, DAY),
    ]
    assert [ran.code for ran in done] == [0, 0, 0], [ran.err for ran in done]
    await office.keep(
        MandateRow(
            id=VISA,
            subscriber_id=ANNE,
            kind=CARD,
            rail="card",
            state=ACTIVE,
            label="visa …4081, 12/2030",
            consent="signed the form",
            consented_at=NOON,
            created_at=NOON,
            due_at=NOON,
        )
    )
    return run


@pytest.mark.parametrize(("words", "schema"), READS.items())
async def test_every_reading_command_prints_one_json_object(
    desk: Command, words: str, schema: str
) -> None:
    ran = await desk(*words.split(), "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.json["schema"] == f"lango.{schema}/v1"


@pytest.mark.parametrize("words", READS)
async def test_every_reading_command_prints_a_table_of_eighty_columns(
    desk: Command, words: str
) -> None:
    ran = await desk(*words.split())

    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) > 1
    assert max(len(line.rstrip()) for line in ran.out.splitlines()) <= 80
    assert "\x1b" not in ran.out


async def test_a_card_is_asked_for_and_its_consent_ended(run: Command) -> None:
    words = ("autopay", "card", "0700 000 001", "100", "--most", "3,500", "--consent", "by phone")
    asked = await run(*words, "--json")
    plain = await run(*words)
    ended = await run("autopay", "cancel", asked.json["id"], "--reason", "moves away", "--json")

    assert (asked.json["state"], asked.json["amount"]["amount"]) == ("asked", "3500.00")
    assert plain.code == 0, plain.err
    assert "the first payment is prompted." in plain.err
    assert (ended.json["state"], ended.json["end_reason"]) == ("cancelled", "moves away")


async def test_a_standing_order_is_asked_for_and_ends_at_the_phone(run: Command) -> None:
    asked = await run("autopay", "order", "0700000001", "300", *AN_ORDER)
    listed = await run("autopay", "list", "0700000001")
    ended = await run("autopay", "cancel", asked.out.strip(), "--reason", "moves away")

    assert asked.code == 0, asked.err
    assert "KES 300 weekly: the phone asks for the PIN now" in asked.err
    assert "weekly until" in " ".join(listed.out.split())
    assert "M-PESA menu" in ended.err


async def test_a_file_is_imported_and_again_books_nothing(run: Command, tmp_path: Path) -> None:
    first = await run("statement", "import", str(tmp_path / "portal.csv"))
    again = await run("statement", "import", str(tmp_path / "portal.csv"))

    assert first.out == again.out
    assert "mpesa 600111, 22 Nov 2026: 2 lines, 2 of them new" in first.err
    assert "nothing is booked again" in again.err


async def test_a_banks_own_csv_wants_its_profile(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "bank.csv"
    file.write_text("Date,Narrative,In,Out\n22/11/2026,FT26330X1Q0 0700000001,1500.00,\n")
    words = ("statement", "import", str(file), "--rail", "bank", "--place", "1234567890")
    without = await run(*words)
    await run("statement", "profile", "kcb", *PROFILE)
    done = await run(*words, "--profile", "kcb", "--json")
    shown = await run("statement", "profile", "kcb")

    assert (without.code, "needs a profile" in without.err) == (2, True)
    assert done.json["new_lines"] == 1
    assert "text=Narrative, when=Date" in " ".join(shown.out.split())


async def test_a_day_is_compared_and_its_difference_explained(
    run: Command, office: Office, tmp_path: Path
) -> None:
    await arrive(office.deps, money_seen("UGE5L8M3ZZ", shillings=70, at=PAID_AT))
    await run("statement", "import", str(tmp_path / "portal.csv"))
    ran = await run("reconcile", "run", "mpesa", SHORTCODE, DAY)
    (line,) = (await run("difference", "list", "--state", "open", "--json")).json["data"]
    explained = await run("difference", "explain", line["id"], "the portal lags", "--json")
    left = await run("difference", "list", "--state", "open")

    assert line["id"] in ran.out
    assert "1 differences" in ran.err
    assert explained.json["explanation"] == "the portal lags"
    assert (left.code, left.err) == (0, "No such differences.\n")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("autopay list 0799999999", 3, "there is no subscriber"),
        ("autopay card 0700000001 100", 2, "--consent"),
        ("autopay card 0700000001 ten --consent x", 2, "AMOUNT"),
        ("autopay card 0700000001 0.50 --consent x", 2, "amount: want 1 to 250,000 KES"),
        ("autopay order 0700000001 100 --from soon --until later --consent x", 2, "2026-11-30"),
        ("autopay cancel none --reason x", 3, "there is no consent none"),
        ("statement import nowhere.csv", 2, "cannot read nowhere.csv"),
        ("statement profile none", 3, "there is no profile none"),
        ("statement profile kcb --column when --date %d", 2, "want MEANING=TITLE"),
        ("statement profile kcb --column when=Date --date %d/%m/%Y", 2, "amount"),
        ("statement profile --date %d", 2, "say a NAME"),
        ("statement 0799999999", 3, "there is no subscriber"),
        ("statement", 2, "Usage"),
        ("reconcile run mpesa 600111 2026-11-22", 5, "no statement tells of 2026-11-22"),
        ("reconcile run mpesa 600111 yesterday", 2, "2026-11-30"),
        ("difference explain none why", 3, "there is no difference none"),
        ("difference list --state lost", 2, "lost"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_says_what(
    run: Command, words: str, code: int, what: str
) -> None:
    ran = await run(*words.split())

    assert ran.code == code, ran.err
    assert what in " ".join((ran.out + ran.err).split())


@pytest.mark.parametrize("words", ["statement --help", "statement -h", "statement of --help"])
async def test_help_is_help_and_no_subscriber(run: Command, words: str) -> None:
    ran = await run(*words.split())

    assert (ran.code, "Usage" in ran.out) == (0, True)


async def test_an_option_may_stand_before_the_subscriber(run: Command) -> None:
    ran = await run("statement", "--json", "0700000001")

    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["schema"] == "lango.statement/v1"
