"""Who sells, who pays and what it costs, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.cli import units
from tests.controller.test_png import a_png

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.controller.cli.lango import Ran

    Command = Callable[..., Awaitable[Ran]]

HOME = (
    *("plan", "add", "home20", "--name", "Home 20", "--contract", "--price", "2,999.50"),
    *("--down", "20M", "--up", "20M"),
)
READS = {
    "operator show": "operator",
    "tax list": "tax-rates",
    "branch list": "branches",
    "branch show main": "branch",
    "price list hours-2": "prices",
    "subscriber list": "subscribers",
    "subscriber show 0712345678": "subscriber",
}


def rows(ran: Ran) -> list[list[str]]:
    """The lines of a table, word by word."""
    return [line.split() for line in ran.out.splitlines()]


@pytest.mark.parametrize(("words", "schema"), READS.items())
async def test_every_reading_command_prints_one_json_object_or_a_table_of_eighty_columns(
    run: Command, words: str, schema: str
) -> None:
    ran = await run(*words.split(), "--json")
    table = await run(*words.split())

    assert (ran.code, ran.err, table.code) == (0, "", 0)
    assert ran.json["schema"] == f"lango.{schema}/v1"
    assert max(len(line.rstrip()) for line in table.out.splitlines()) <= 80


async def test_the_operator_is_set_with_a_logo(run: Command, tmp_path: Path) -> None:
    picture = tmp_path / "logo.png"
    picture.write_bytes(a_png())
    await run("operator", "set", "--name", "Kahawa Net", "--kra-pin", "P051234567X", "--vat")
    await run("operator", "set", "--support-phone", "0712 345 678", "--languages", "sw,en")
    sent = await run("operator", "logo", str(picture))
    removed = await run("operator", "logo", "--remove", "--json")

    assert ["kra_pin", "P051234567X"] in rows(sent)
    assert ["vat_registered", "yes"] in rows(sent)
    assert ["support_phone", "+254712345678"] in rows(sent)
    assert ["languages", "sw,en"] in rows(sent)
    assert ["has_logo", "yes"] in rows(sent)
    assert removed.json["has_logo"] is False


async def test_who_charges_no_tax_is_told_so(run: Command) -> None:
    shown = await run("operator", "show")

    assert shown.err == "No taxes are charged: it is registered for none.\n"


async def test_a_rate_of_a_tax_is_added(run: Command) -> None:
    added = await run("tax", "add", "excise", "20%", "--from", "2027-07-01")

    assert ["excise", "20", "%", "01", "Jul", "2027"] in rows(added)
    assert ["excise", "15", "%", "01", "Jul", "2023", "today"] in rows(added)


async def test_branches_are_made_and_a_site_moves(run: Command) -> None:
    await run("branch", "add", "thika", "--name", "Thika", "--kra-branch", "01")
    await run("branch", "change", "thika", "--phone", "0712 345 678")
    listed = await run("branch", "list")
    moved = await run("branch", "move-site", "thika", "estate-1")

    assert ["thika", "Thika", "01", "0712", "345", "678", "-"] in rows(listed)
    assert moved.err == "Estate 1 belongs to branch thika.\n"


async def test_a_plan_for_contracts_has_cents_and_a_tariff_in_words(run: Command) -> None:
    tariff = ("--tariff", "graduated", "--tier", "50:20", "--tier", "rest:15.50", "--without-tax")
    added = await run(*HOME, *tariff)
    shown = await run("plan", "show", "home20")
    listed = await run("plan", "list")

    assert added.err == "Home 20 is on sale for subscriptions at KES 2,999.50.\n"
    text = " ".join(shown.out.split())
    assert "tariff graduated, per 1 GB: up to 50 at KES 20, the rest at KES 15.50" in text
    assert "tax_included no" in text
    assert "(contract)" in listed.out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--tier", "50:20"), "--tariff and --tier go together"),
        (("--tariff", "volume"), "--tariff and --tier go together"),
        (("--tariff", "volume", "--tier", "0-50:20"), "is not like 50:20 or rest:15"),
        (("--tariff", "volume", "--tier", "50:20"), "--tier 1, its end, in units: want no end"),
        (("--tariff", "volume", "--tier", "rest:-1"), "--tier 1, its price: want 0"),
        (
            ("--tariff", "volume", "--tier", "rest:1", "--per", "1kB"),
            "--per, in bytes: want 1,000,000",
        ),
    ],
)
async def test_a_tariff_that_cannot_be_is_named_as_it_was_typed(
    run: Command, words: tuple[str, ...], named: str
) -> None:
    ran = await run(*HOME, *words)

    assert (ran.code, ran.out) == (2, "")
    assert named in " ".join(ran.err.split())


async def test_prices_are_listed_with_what_holds_today_for_whom(run: Command) -> None:
    await run(*HOME)
    await run("price", "add", "home20", "4,500", "--segment", "business")
    await run("price", "add", "home20", "2,000", "--from", "2027-01-01", "--until", "2027-02-01")
    listed = await run("price", "list", "home20")

    assert ["business", "main", "KES", "4,500"] in rows(listed)
    assert ["everybody", "else", "every", "KES", "2,999.50"] in rows(listed)
    assert any(row[-4:] == ["KES", "2,000", "2027-01-01", "2027-02-01"] for row in rows(listed))


async def test_a_price_ends(run: Command) -> None:
    await run(*HOME)
    added = await run("price", "add", "home20", "4,500", "--from", "2027-01-01", "--json")
    ended = await run("price", "end", "home20", added.json["data"][0]["id"], "--json")

    assert ended.json["data"] == []


async def test_prices_that_overlap_say_so(run: Command) -> None:
    await run(*HOME)
    await run("price", "add", "home20", "4,500", "--from", "2027-01-01")
    ran = await run("price", "add", "home20", "4,000", "--from", "2027-02-01")

    assert ran.code == 2
    assert "from_day: a price from 2027-01-01 already holds" in ran.err


async def test_a_subscriber_is_added_found_changed_and_shown(run: Command) -> None:
    added = await run("subscriber", "add", "0722 000 001", "--name", "Otieno")
    found = await run("subscriber", "list", "--search", "otie")
    await run("subscriber", "change", "+254 722 000 001", "--segment", "business")
    shown = await run("subscriber", "show", "0722 000 001")

    assert ["phone", "254722000001"] in rows(added)
    assert rows(found)[1] == [
        *("254722000001", "Otieno", "residential", "main", "KES", "0", "KES", "0")
    ]
    assert ["segment", "business"] in rows(shown)


async def test_nobody_found_says_so(run: Command) -> None:
    ran = await run("subscriber", "list", "--search", "nobody")

    assert (ran.code, ran.err) == (0, "No such subscribers.\n")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("subscriber show 0799999999", 3, "there is no subscriber 0799999999"),
        ("subscriber add 0712345678", 5, "exists"),
        ("subscriber add 12345", 2, "phone: want a Kenyan mobile number"),
        ("subscriber change 0712345678 --kra-pin X", 2, "kra_pin: want A or P"),
        ("branch show nowhere", 3, "there is no branch nowhere"),
        ("price list nothing", 3, "there is no plan nothing"),
        ("price add hours-2 -- -5", 2, "amount: want 0 to"),
        ("price add hours-2 five", 2, "is not an amount"),
        ("tax add vat much --from 2027-01-01", 2, "is not like 16% or 7.5%"),
        ("tax add vat 101% --from 2027-01-01", 2, "want at most 100%"),
        ("tax add vat 16% --from 2019-01-01", 2, "from_day: want a day after 2021-01-01"),
        ("operator logo", 2, "say a PNG file, or --remove"),
        ("operator logo nowhere.png", 2, "cannot read nowhere.png"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_says_what(
    run: Command, words: str, code: int, what: str
) -> None:
    ran = await run(*words.split())

    assert (ran.code, ran.out) == (code, "")
    assert what in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("text", "basis_points"), [("16%", 1_600), ("7.5", 750), ("0.05 %", 5), ("100%", 10_000)]
)
def test_shares_are_read_as_people_type_them(text: str, basis_points: int) -> None:
    assert units.share_bp(text) == basis_points


async def test_a_rate_beyond_all_of_it_is_refused_as_it_was_typed(run: Command) -> None:
    beyond = await run("tax", "add", "excise", "200%", "--from", "2027-07-01")

    assert beyond.code == 2
    assert "want at most 100%, got '200%'" in beyond.err
