"""Subscriptions, invoices, debts, money, promotions and billing from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.cli import units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.controller.cli.lango import Ran
    from tests.support.office import Office

    Command = Callable[..., Awaitable[Ran]]

PHONE = "0712345678"
PLAN = ("--name", "Home", "--contract", "--down", "20M", "--up", "20M")
READS = {
    "subscription list": "subscriptions",
    "subscription show {subscription}": "subscription",
    "subscription quote {subscription} home50": "quote",
    "invoice list": "documents",
    "invoice show INV-main-000001": "document",
    "debt list": "debts",
    "debt policies": "dunning-policies",
    "received list": "received-list",
    "received show {received}": "received",
    "promotion list": "promotions",
    "billing preview --names": "billing-preview",
    "billing list": "billing-runs",
    "subscriber show 0712345678": "subscriber",
}


def rows(ran: Ran) -> list[list[str]]:
    """The lines of a table, word by word."""
    return [line.split() for line in ran.out.splitlines()]


async def furnish(run: Command) -> str:
    """Two plans for contracts, and a subscription that is paid by invoice; its id."""
    await run("plan", "add", "home20", *PLAN, "--price", "3,000")
    await run("plan", "add", "home50", *PLAN, "--price", "6,000")
    started = await run(*START)
    assert started.code == 0, started.err
    return started.out.strip()


START = ("subscription", "start", PHONE, "home20", "--site", "estate-1", "--mode", "advance")


@pytest.mark.parametrize(("words", "schema"), READS.items())
async def test_every_reading_command_prints_one_json_object_or_a_table_of_eighty_columns(
    run: Command, words: str, schema: str
) -> None:
    subscription = await furnish(run)
    received = (await run("receive", PHONE, "100")).out.strip()
    await run("promotion", "add", "karibu", "--name", "Karibu", "--off", "20%")
    asked = words.format(subscription=subscription, received=received).split()
    ran = await run(*asked, "--json")
    table = await run(*asked)

    assert (ran.code, ran.err, table.code) == (0, "", 0)
    assert ran.json["schema"] == f"lango.{schema}/v1"
    assert max(len(line.rstrip()) for line in table.out.splitlines()) <= 80


async def test_a_subscription_is_started_and_says_what_was_billed(run: Command) -> None:
    await run("plan", "add", "home20", *PLAN, "--price", "3,000")
    started = await run(*START, "--every", "2 weeks")
    listed = await run("subscription", "list", "--subscriber", "0712 345 678")

    assert "home20 of 254712345678: active. Billed until 07 Dec 2026 00:00." in started.err
    assert rows(listed)[1] == [started.out.strip(), "254712345678", "home20", "active"]


async def test_who_waits_for_money_is_told_how_to_bring_it(run: Command) -> None:
    await run("plan", "add", "home20", *PLAN, "--price", "3,000")
    waiting = await run(*START[:-2])
    paid = await run("receive", PHONE, "3,500")
    shown = await run("subscription", "show", waiting.out.strip())

    assert "suspended: unpaid" in waiting.err
    assert "KES 3,000 brings it back: lango receive 254712345678 3000.00" in waiting.err
    assert "KES 3,500 from 254712345678. Now: wallet KES 500, owes KES 0." in paid.err
    assert ["state", "active"] in rows(shown)
    assert ["cycle", "every", "month"] in rows(shown)


async def test_a_subscriber_is_shown_with_why_it_is_suspended_and_what_to_pay(
    run: Command,
) -> None:
    await run("plan", "add", "home20", *PLAN, "--price", "3,000")
    await run(*START[:-2])
    await run("receive", PHONE, "400.50")
    shown = await run("subscriber", "show", PHONE)
    (hint,) = [line for line in shown.err.splitlines() if "brings it back" in line]
    paid = await run(*hint.partition("lango ")[2].split())
    after = await run("subscriber", "show", PHONE)

    assert "home20 is suspended: the wallet does not hold the price." in shown.err
    assert "KES 2,599.50" in hint
    assert "wallet KES 0, owes KES 0" in paid.err
    assert after.err == ""


async def test_a_receipt_that_is_typed_twice_is_said_to_be_known(run: Command) -> None:
    bank = ("receive", PHONE, "1,000", "--rail", "bank", "--receipt")
    first = await run(*bank, "FT26330X1Q")
    again = await run(*bank, "ft26330x1q")

    assert "nothing is booked again" not in first.err
    assert "Receipt FT26330X1Q was taken on 23 Nov 2026" in again.err
    assert "nothing is booked again." in again.err
    assert (again.out, "wallet KES 1,000" in again.err) == (first.out, True)


async def test_a_preview_of_nothing_names_nobody(run: Command) -> None:
    ahead = await run("billing", "preview", "--names")

    assert "0 invoices come to KES 0" in ahead.out
    assert "PHONE" not in ahead.out


async def test_what_staff_suspended_says_how_to_resume_it(run: Command) -> None:
    subscription = await furnish(run)
    await run("subscription", "suspend", subscription)
    shown = await run("subscriber", "show", PHONE)

    assert f"lango subscription resume {subscription}" in shown.err
    assert "brings it back" not in shown.err


async def test_devices_and_site_of_a_subscription_are_set(run: Command) -> None:
    subscription = await furnish(run)
    named = await run("subscription", "set", subscription, "--device", "02-00-00-00-00-0B")
    moved = await run("subscription", "set", subscription, "--site", "estate-1", "--json")
    nobody = await run("subscription", "set", subscription, "--no-devices")
    nothing = await run("subscription", "set", subscription)
    both = await run("subscription", "set", subscription, "--no-devices", "--device", "x")

    assert "home20 of 254712345678 at estate-1: 02:00:00:00:00:0b." in named.err
    assert (moved.json["schema"], moved.json["devices"]) == (
        "lango.subscription/v1",
        ["02:00:00:00:00:0b"],
    )
    assert "no device by name" in nobody.err
    assert (nothing.code, both.code) == (2, 2)
    assert "say --site, --device or --no-devices" in nothing.err


async def test_who_is_served_in_arrears_is_not_billed_until_yesterday(run: Command) -> None:
    await run("plan", "add", "home20", *PLAN, "--price", "3,000")
    started = await run(*START[:-1], "arrears")

    assert "active." in started.err
    assert "Billed until" not in started.err


async def test_no_amount_is_torn_into_two_lines(run: Command) -> None:
    await run("subscriber", "change", PHONE, "--name", "Wanjiku wa Kamau na Wenzake")
    await run("plan", "add", "home20", *PLAN, "--price", "2,999.50")
    await run(*START)
    await run("price", "add", "home20", "2,500", "--segment", "residential", "--branch", "main")
    listed = await run("invoice", "list")
    prices = await run("price", "list", "home20")

    assert "KES 2,999.50  KES 2,999.50" in listed.out
    assert "254712345678" in listed.out
    assert "KES 2,500  2026-11-23  -" in prices.out
    assert max(len(line.rstrip()) for line in (listed.out + prices.out).splitlines()) <= 80


async def test_a_quote_says_what_to_type_next_and_that_does_it(run: Command) -> None:
    subscription = await furnish(run)
    quote = await run("subscription", "quote", subscription, "home50")
    (hint,) = [line for line in quote.err.splitlines() if "lango subscription change" in line]
    changed = await run(*hint.partition("lango ")[2].split())

    assert ["to", "pay", "KES", "3,000"] in rows(quote)
    assert ["then", "KES", "6,000", "a", "period"] in rows(quote)
    assert changed.code == 0, changed.err
    assert "home50 of 254712345678: active." in changed.err


async def test_a_quote_for_a_prepaid_one_says_what_is_missing(run: Command) -> None:
    await furnish(run)
    prepaid = (await run(*START[:-2])).out.strip()
    await run("receive", PHONE, "6,000")
    quote = await run("subscription", "quote", prepaid, "home50")

    assert ["missing", "in", "the", "wallet", "KES", "3,000"] in rows(quote)
    assert "First the money: lango receive" in quote.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pause {} --until 2027-01-31", "paused"),
        ("suspend {}", "suspended: staff"),
        ("end {} --keep-rest", "ended"),
        ("change {} home50 --at-renewal", "From the next period on: home50."),
    ],
)
async def test_each_verb_says_where_it_leads(run: Command, words: str, said: str) -> None:
    subscription = await furnish(run)
    done = await run("subscription", *words.format(subscription).split())

    assert done.code == 0, done.err
    assert said in done.err


async def test_a_pause_is_resumed(run: Command) -> None:
    subscription = await furnish(run)
    await run("subscription", "pause", subscription)
    done = await run("subscription", "resume", subscription)

    assert "active." in done.err


async def test_an_invoice_is_shown_as_it_is_printed(run: Command) -> None:
    await run("operator", "set", "--name", "Kahawa", "--kra-pin", "P051234567X", "--vat")
    await furnish(run)
    shown = await run("invoice", "show", "INV-main-000001")

    assert rows(shown)[-1] == ["total", "2,586.21", "0.00", "413.79", "3,000.00"]
    assert "for 23 Nov 2026 to 22 Dec 2026" in " ".join(shown.out.split())
    assert ["open", "KES", "3,000"] in rows(shown)


async def test_an_invoice_is_credited(run: Command) -> None:
    await furnish(run)
    credit = ("invoice", "credit", "INV-main-000001", "--reason", "no service", "--amount", "150")
    done = await run(*credit)
    listed = await run("invoice", "list", "--kind", "credit_note")

    assert done.out == "CRN-main-000001\n"
    assert done.err == "KES 150 credited to 254712345678.\n"
    assert rows(listed)[1][-3:] == ["KES", "150", "-"]


async def test_debts_are_listed_promised_split_and_written_off(
    run: Command, office: Office
) -> None:
    await furnish(run)
    office.clock.forward(days=10)
    listed = await run("debt", "list", "--overdue")
    await run("debt", "promise", "INV-main-000001", "2026-12-05")
    promised = await run("debt", "list")
    parts = await run(
        "debt", "instalments", "INV-main-000001", "--parts", "2", "--first", "2026-12-10"
    )
    lost = await run("debt", "write-off", "INV-main-000001", "--reason", "moved away")
    after = await run("debt", "list")

    assert rows(listed)[1] == [
        *("INV-main-000001", "254712345678", "-", "30", "Nov", "00:00", "1-30", "days"),
        *("KES", "3,000"),
    ]
    assert "promised" in promised.out
    assert "instalment 10 Dec 2026 00:00: KES 1,500" in parts.out
    assert ["open", "KES", "0"] in rows(lost)
    assert after.err == "Nothing is open.\n"


async def test_a_policy_is_typed_in_steps(run: Command) -> None:
    steps = ("--step", "remind-3", "--step", "fee+5:100", "--step", "suspend+7")
    done = await run("debt", "set-policy", "--terms", "14", *steps, "--segment", "business")

    assert done.code == 0, done.err
    assert "business 14 remind-3, fee+5:KES 100, suspend+7" in " ".join(done.out.split())


async def test_money_that_went_back_says_so(run: Command) -> None:
    await furnish(run)
    received = await run("receive", PHONE, "3,000", "--rail", "bank", "--receipt", "FT1")
    done = await run("received", "reverse", received.out.strip(), "--reason", "bounced")
    listed = await run("received", "list")

    assert done.code == 0, done.err
    assert rows(listed)[1][-3:] == ["reversed", "KES", "3,000"]


async def test_wallets_are_put_right_and_money_moves(run: Command) -> None:
    await run("subscriber", "add", "0722000001")
    await run("wallet", "adjust", PHONE, "200", "--reason", "sorry")
    less = await run("wallet", "adjust", PHONE, "--reason", "typed twice", "--", "-50")
    moved = await run("wallet", "transfer", PHONE, "0722000001", "100")

    assert less.err == f"The wallet of {PHONE} holds KES 150 now.\n"
    assert moved.err == f"The wallet of {PHONE} holds KES 50 now.\n"


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        ("--off 20% --periods 3", "20 % off 3 periods"),
        ("--off-amount 500 --code XMAS26 --uses 100", "XMAS26: KES 500 off, 100 uses"),
        ("--referrer 200 --referred 100", "KES 200 and KES 100 when the friend first pays"),
        ("--every 12 --reward 500", "KES 500 for every 12 paid invoices"),
        ("--back 2.5%", "2.5 % of each payment back"),
    ],
)
async def test_promotions_are_told_in_words(run: Command, words: str, terms: str) -> None:
    made = await run("promotion", "add", "karibu", "--name", "Karibu", *words.split())
    listed = await run("promotion", "list", "--json")

    assert made.code == 0, made.err
    assert f"terms {terms}" in " ".join(made.out.split())
    assert len(listed.json["data"]) == 1


async def test_a_discount_is_taken_and_withdrawn(run: Command) -> None:
    await run("promotion", "add", "karibu", "--name", "Karibu", "--off", "20%", "--periods", "3")
    taken = await run("promotion", "take", PHONE, "karibu")
    await run("promotion", "withdraw", "karibu")
    late = await run("promotion", "take", "0722000001", "karibu")

    assert taken.err == f"{PHONE} has karibu, for 3 more periods.\n"
    assert late.code == 3


async def test_tonight_is_told_before_it_is_done(run: Command, office: Office) -> None:
    await run("plan", "add", "home20", *PLAN, "--price", "3,000")
    await run(*START, "--begins", "2026-11-24")
    ahead = await run("billing", "preview", "--names")
    office.clock.forward(days=1)
    done = await run("billing", "now")
    listed = await run("billing", "list")

    assert "1 invoice comes to KES 3,000; wallets pay KES 0 at once" in ahead.out
    assert "1 subscriber will be billed" in ahead.out
    assert ["254712345678", "-", "will", "be", "billed"] in rows(ahead)
    assert done.err == "1 subscription billed, 1 step of dunning taken.\n"
    assert "invoices 1" in listed.out


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("subscription show none", 3, "there is no subscription none"),
        (f"subscription start {PHONE} nothing --site estate-1", 2, "plan_id: there is no plan"),
        (
            f"subscription start {PHONE} h --site x --every fortnight",
            2,
            "is not like month, 2 weeks",
        ),
        (f"subscription start {PHONE} h --site x --every 0days", 2, "want 1 to 1,000"),
        ("subscription start 0799999999 h --site x", 3, "there is no subscriber"),
        (f"receive {PHONE} -- -5", 2, "amount: want more than nothing"),
        (f"receive {PHONE} 12,5", 2, "is not an amount"),
        ("invoice show INV-main-000009", 3, "there is no document INV-main-000009"),
        ("invoice credit INV-main-000009 --reason x", 3, "there is no document"),
        ("debt promise INV-main-000009 soon", 2, "a day like 2027-01-31"),
        ("debt set-policy --terms 7 --step shout", 2, "is not like remind-3"),
        ("debt set-policy --terms 7 --step fee+5", 2, "want an amount for a fee"),
        ("promotion add x --name X", 2, "say one of --off"),
        ("promotion add x --name X --off 20% --back 2%", 2, "say one of --off"),
        (f"promotion take {PHONE} nothing", 3, "there is no promotion nothing"),
        ("billing preview --until 2020-01-01", 2, "upto: want within the next 31 days"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_says_what(
    run: Command, words: str, code: int, what: str
) -> None:
    ran = await run(*words.split())

    assert (ran.code, ran.out) == (code, "")
    assert what in " ".join(ran.err.split())


@pytest.mark.parametrize("group", ["subscription", "invoice", "received"])
async def test_an_empty_table_says_that_it_is_empty(run: Command, group: str) -> None:
    ran = await run(group, "list")

    assert (ran.code, ran.err[:8]) == (0, "No such ")


def test_cycles_are_read_as_people_type_them() -> None:
    typed = ["month", "2 weeks", "30 days", "12hours"]

    assert [(c.unit.value, c.count) for c in map(units.cycle, typed)] == [
        ("month", 1),
        ("week", 2),
        ("day", 30),
        ("hour", 12),
    ]
