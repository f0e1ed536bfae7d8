"""Every text message fits one part of the GSM 7-bit alphabet, whatever staff call things."""

from __future__ import annotations

from datetime import date

import pytest

from portal.account.messages import GSM7, PART_MAX, bill_message, code_message, gsm7, token_message
from portal.captive.text import TABLES

CODE = "0123-4567-8901-2345-6789"
LONG = "Nyumba ya Mama Wamb\u0169i\u2019s \u2013 \u0118state \u21165 " * 4


@pytest.mark.parametrize("language", TABLES)
def test_a_token_with_the_longest_names_fits_one_part(language: str) -> None:
    text = token_message(language=language, site=LONG, plan=LONG, code=CODE, help_phone="0" * 20)

    assert len(text) <= PART_MAX
    assert set(text) <= GSM7
    assert text.startswith(CODE)


@pytest.mark.parametrize("language", TABLES)
def test_a_code_with_the_longest_name_fits_one_part(language: str) -> None:
    text = code_message(language=language, site=LONG, code="012345", minutes=10)

    assert len(text) <= PART_MAX
    assert text.startswith("012345 ")


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("today", [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 2)])
def test_a_reminder_with_the_longest_names_fits_one_part(language: str, today: date) -> None:
    text = bill_message(
        language=language,
        operator=LONG,
        number=f"INV-{'b' * 32}-000042",
        amount="KES 1,234,567.89",
        due=date(2026, 12, 1),
        today=today,
        pay_to=LONG * 4,
    )

    assert len(text) <= PART_MAX
    assert set(text) <= GSM7
    assert "KES 1,234,567.89" in text


def test_a_reminder_says_how_to_pay() -> None:
    text = bill_message(
        language="en",
        operator="Lango Net",
        number="INV-main-000042",
        amount="KES 1,500",
        due=date(2026, 12, 1),
        today=date(2026, 11, 28),
        pay_to="PayBill 600111",
    )

    assert text == "Lango Net: KES 1,500 of INV-main-000042 is due on 01/12/2026. PayBill 600111"


@pytest.mark.parametrize(
    ("today", "link", "shown"),
    [
        (date(2026, 11, 24), "https://isp.example/d/1", "https://isp.example/d/1"),
        (date(2026, 11, 24), "https://" + "x" * 160, "PayBill 600111"),
        (date(2026, 12, 1), "https://isp.example/d/1", "PayBill 600111"),
    ],
)
def test_a_link_stands_for_how_to_pay_while_there_is_time_and_room(
    today: date, link: str, shown: str
) -> None:
    text = bill_message(
        language="en",
        operator="Lango Net",
        number="INV-main-000042",
        amount="KES 1,500",
        due=date(2026, 12, 1),
        today=today,
        pay_to="PayBill 600111",
        link=link,
    )

    assert text.endswith(f". {shown}")
    assert len(text) <= PART_MAX


def test_without_a_help_line_no_help_is_promised() -> None:
    text = token_message(language="en", site="A", plan="B", code=CODE, help_phone="")

    assert "Help" not in text


@pytest.mark.parametrize(
    ("typed", "spelt"),
    [("Mama\u2019s", "Mama's"), ("\u0169\u2013ñ", "u-ñ"), ("№ 日", "No ?"), ("{}", "??")],
)
def test_letters_that_a_message_lacks_are_spelt(typed: str, spelt: str) -> None:
    assert gsm7(typed) == spelt
