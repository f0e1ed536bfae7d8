"""What is said about money, by SMS in one part and by letter."""

from __future__ import annotations

from string import Formatter

import pytest

from billing.money import MINOR_MAX, Money
from controller.notify.gsm7 import is_gsm7, parts
from controller.notify.money_texts import LETTERS_MAX, Draft, letter, rail_name, sms_text, words
from controller.notify.texts import TABLES

LONG = "Nyumba ya Mama Wamb\u0169i\u2019s \u2013 \u0118state \u21165 " * 4
LINK = "https://pay.example.co.ke/d/" + "a" * 32 + "?c=" + "b" * 16
SMS_KEYS = [key for key in TABLES["en"] if "." not in key and key not in {"receipt", "confirm"}]


def blanks(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_the_languages_say_the_same_with_the_same_blanks() -> None:
    told = [{key: blanks(text) for key, text in table.items()} for table in TABLES.values()]

    assert told[0] == told[1]


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("key", SMS_KEYS)
def test_no_sentence_leaves_the_alphabet_or_its_part(key: str, language: str) -> None:
    values = dict.fromkeys(blanks(TABLES[language][key]), LONG)
    text = sms_text(key, language, link=LINK, **values)

    assert is_gsm7(TABLES[language][key])
    assert (parts(text), is_gsm7(text)) == (1, True)


@pytest.mark.parametrize("language", TABLES)
def test_a_receipt_of_usual_names_brings_its_link(language: str) -> None:
    text = sms_text(
        "payment_received",
        language,
        link=LINK,
        operator="Mtaa Net",
        amount="KES 1,500",
        receipt="SGR7X0K2QP",
    )

    assert text.endswith(LINK)
    assert "SGR7X0K2QP" in text
    assert parts(text) == 1


def test_a_link_that_does_not_fit_is_left_out_whole() -> None:
    values = {"operator": "Mtaa Net", "amount": "KES 1,500", "receipt": "SGR7X0K2QP"}
    text = sms_text("payment_received", "en", link=LINK * 2, **values)

    assert text == "Mtaa Net: KES 1,500 received, SGR7X0K2QP. Thank you."


def test_without_a_receipt_none_is_mentioned() -> None:
    values = {"operator": "Mtaa Net", "amount": "KES 20", "receipt": "", "plan": "1 hour"}

    assert sms_text("order_paid", "en", **values) == (
        "Mtaa Net: KES 20 received for 1 hour. Thank you."
    )


def test_a_language_that_nobody_speaks_is_english() -> None:
    assert words("mail.amount", "fr") == "Amount"


def test_no_amount_is_ever_cut() -> None:
    most = str(Money(MINOR_MAX - 1))
    text = sms_text("payment_to_wallet", "sw", operator="L", amount=most, receipt="", wallet=most)

    assert text.count(most) == 2


def test_every_value_of_an_sms_has_its_length() -> None:
    named = {name for key in SMS_KEYS for name in blanks(TABLES["en"][key])}

    assert named <= set(LETTERS_MAX)


def test_a_letter_says_the_same_as_text_and_as_html() -> None:
    draft = Draft(
        language="en",
        name="Amina",
        subject="Receipt RCT-main-000001 for KES 1,500",
        sentences=["We received KES 1,500. Thank you."],
        facts=[("mail.rail", rail_name("mpesa")), ("mail.open", ""), ("mail.amount", "KES 1,500")],
        link=LINK,
        operator="Mtaa Net",
        colour="#0a7d4f",
    )
    out = letter(draft, to="amina@example.co.ke")

    assert out.subject == "Mtaa Net: Receipt RCT-main-000001 for KES 1,500"
    assert out.text == (
        "Hello Amina,\n\nWe received KES 1,500. Thank you.\n\nPaid by: M-PESA\nAmount: KES 1,500"
        f"\n\nSee, print or keep the receipt:\n{LINK}\n\nMtaa Net\n"
    )
    for said in ("Hello Amina,", "We received KES 1,500.", "M-PESA", f'href="{LINK}"', "#0a7d4f"):
        assert said in out.html
    assert "Still open" not in out.text + out.html


def test_nothing_that_people_chose_is_markup_in_a_letter() -> None:
    bad = '"><script>x</script>'
    draft = Draft(
        language="en",
        name=bad,
        subject="s",
        sentences=[bad],
        facts=[("mail.amount", bad)],
        link=bad,
        operator=bad,
        colour=bad,
    )

    assert "<script>" not in letter(draft, to="a@example.co.ke").html
