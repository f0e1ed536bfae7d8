"""Money that came in, refunds, requests for money and who waits, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.payments.codes import CODES
from controller.payments.seen import Road
from controller.usecases.settle import take_callback
from tests.support.builders import token_in
from tests.support.incoming import bought, came, paid, payers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.controller.cli.lango import Ran
    from tests.support.office import Office

    Command = Callable[..., Awaitable[Ran]]

PHONE = "0712345678"
WHY = ("--reason", "typed the house number")
READS = {
    "arrival list": "arrivals",
    "arrival unmatched": "arrivals-unmatched",
    "arrival show SGH7K2Q0XD": "arrival",
    "refund list": "refunds",
    "refund show {refund}": "refund",
    "account show {order}": "account-payment",
    "payment waiting": "payments-waiting",
    "payment codes": "payment-codes",
}


@pytest.mark.parametrize(("words", "schema"), READS.items())
async def test_every_reading_command_prints_one_json_object_or_a_table_of_eighty_columns(
    run: Command, office: Office, words: str, schema: str
) -> None:
    await came(office)
    await came(office, "TWICE1", reference=PHONE)
    refund = (await run("arrival", "refund", "TWICE1", *WHY)).out.strip()
    await bought(office)
    office.clock.forward(seconds=70)
    order = (await run("account", "pay", PHONE, "100")).out.strip()
    asked = words.format(refund=refund, order=order).split()
    ran, table = await run(*asked, "--json"), await run(*asked)

    assert (ran.code, ran.err, table.code) == (0, "", 0)
    assert ran.json["schema"] == f"lango.{schema}/v1"
    assert table.out.strip()
    assert max(len(line.rstrip()) for line in table.out.splitlines()) <= 80


async def test_unmatched_money_says_who_it_may_be_and_what_to_type_and_that_does_it(
    run: Command, office: Office
) -> None:
    await came(office, reference="0712 354 678")
    listed = await run("arrival", "unmatched")
    shown = await run("arrival", "show", "SGH7K2Q0XD")
    (hint,) = [line for line in shown.err.splitlines() if "arrival assign" in line]
    words = hint.partition("lango ")[2].removesuffix(" --reason …").split()
    done = await run(*words, *WHY)
    after = await run("arrival", "unmatched")

    assert "0712 354 678" in " ".join(listed.out.split())
    assert "254712345678" in shown.out
    assert done.err == "KES 500 is 254712345678's now.\n"
    assert after.err == "None: all money that came in is somebody's.\n"


async def test_money_that_nobody_comes_near_to_says_so(run: Command, office: Office) -> None:
    await came(office, reference="", payer_name="")
    shown = await run("arrival", "show", "sgh7k2q0xd")

    assert "Nobody comes near what was typed." in shown.err
    assert "lango arrival refund" in shown.err


async def test_money_that_is_not_confirmed_is_called_so(run: Command, office: Office) -> None:
    await came(office, shillings=9_000, road=Road.CONFIRMATION)
    listed = await run("arrival", "list")

    assert "unconfirmed" in listed.out


async def test_money_is_given_back_and_then_shown(run: Command, office: Office) -> None:
    await bought(office)
    done = await run("arrival", "refund", "SIM0000001", "--reason", "no internet")
    listed = await run("refund", "list")
    shown = await run("arrival", "show", "SIM0000001")
    again = await run("arrival", "refund", "SIM0000001", "--reason", "no internet")

    assert done.err == "KES 10 of SIM0000001 is on its way.\n"
    assert listed.out.split()[5:6] == [done.out.strip()]
    assert "no internet" in shown.out
    assert "It paid order" in shown.err
    assert again.code == 5
    assert "this money has gone back" in again.err


async def test_a_part_is_given_back(run: Command, office: Office) -> None:
    await came(office, reference=PHONE)
    done = await run("arrival", "refund", "SGH7K2Q0XD", "--amount", "200", *WHY)

    assert done.err.startswith("KES 200 of SGH7K2Q0XD")


async def test_a_friend_is_asked_and_pays(run: Command, office: Office) -> None:
    asked = await run("account", "pay", PHONE, "1,500", "--payer", "0722000001")
    await paid(office)
    shown = await run("account", "show", asked.out.strip())

    assert f"2547••••001 is asked for KES 1,500. Paid? lango account show {asked.out}" in (
        asked.err.replace(".\n", "\n")
    )
    assert "2547••••001 paid KES 1,500." in shown.err


async def test_who_says_no_is_told_why(run: Command, office: Office) -> None:
    asked = await run("account", "pay", PHONE, "100")
    gateway = payers(office)
    name = list(gateway.asked)[-1]
    gateway.refuse(name)
    token = token_in(gateway.asked[name].push.callback_url)
    await take_callback(office.deps, token=token, body=gateway.callback(name), source="")
    shown = await run("account", "show", asked.out.strip())

    assert "Not paid. The payer is told: The request was cancelled on the phone." in shown.err


async def test_who_paid_and_waits_is_listed_with_the_reason(run: Command, office: Office) -> None:
    nobody = await run("payments", "waiting")
    await bought(office)
    office.clock.forward(minutes=10)
    waiting = await run("payment", "waiting")

    assert nobody.err == "Nobody: everybody who paid is connected.\n"
    told = " ".join(waiting.out.split())
    assert "SIM0000001" in told
    assert "2547••••678" in told
    assert "last seen" in told


async def test_every_code_is_printed_with_what_to_do(run: Command) -> None:
    every = await run("payment", "codes", "--json")
    one = await run("payment", "codes", " 1032 ")

    assert {line["code"] for line in every.json["data"]} == set(CODES)
    assert all(line["to_do"] for line in every.json["data"])
    assert "cancelled on the" in one.out


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("arrival show NOTHING1", 3, "no money with the receipt NOTHING1"),
        (f"arrival show {'0' * 32}", 3, "there is no money"),
        ("arrival assign SGH7K2Q0XD 0799999999 --reason x", 3, "there is no subscriber"),
        (f"arrival assign SGH7K2Q0XD {PHONE}", 2, "--reason"),
        (f"arrival assign SGH7K2Q0XD {PHONE} --reason=", 2, "reason"),
        ("arrival refund SGH7K2Q0XD --reason x --amount 501", 5, "KES 500 can go back"),
        ("arrival refund SGH7K2Q0XD --reason x --amount much", 2, "--amount"),
        ("arrival list --state lost", 2, "state"),
        ("refund show none", 3, "there is no refund none"),
        ("account pay 0799999999 100", 3, "there is no subscriber"),
        (f"account pay {PHONE} 10.50", 2, "amount"),
        (f"account pay {PHONE} 100 --payer 12", 2, "payer"),
        (f"account pay {PHONE} 100 --rail pigeon", 2, "rail"),
        ("account show none", 3, "there is no account payment none"),
        ("payment codes 4711", 3, "there is no code 4711"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_says_what(
    run: Command, office: Office, words: str, code: int, what: str
) -> None:
    await came(office)
    ran = await run(*words.split())

    assert (ran.code, ran.out) == (code, "")
    assert what in " ".join(ran.err.split())
